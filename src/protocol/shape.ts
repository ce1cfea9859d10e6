/**
 * Guards written by hand, for what runs in a browser: a schema library would be most of the bundle. Tests hold them against the
 * schemas. Fields that are not known are left alone, and so is the set of values of an enumeration: a newer server may say more.
 */
export type Check = (value: unknown) => boolean

export const string: Check = (value) => typeof value === 'string'
export const number: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const boolean: Check = (value) => typeof value === 'boolean'
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
export const nullable =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
export const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
export const record =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check)

const TYPES: Readonly<Record<string, Check>> = { '#': number, '!': boolean, '%': isObject }
const PRESENCE: Readonly<Record<string, (check: Check) => Check>> = { '?': nullable, '~': optional }

/**
 * An object by its fields, one word each: `name` is a string, `name#` a finite number, `name!` a boolean, `name%` an object. After that, `?`: it
 * may be null; `~`: it may be missing.
 * @param others fields of other types
 */
export function shape(names: string, others: Readonly<Record<string, Check>> = {}): Check {
  const fields = Object.entries(others)
  for (const [, name = '', type = '', presence = ''] of names.matchAll(/(\w+)([#!%]?)([?~]?)/g)) {
    const check = TYPES[type] ?? string
    fields.push([name, PRESENCE[presence]?.(check) ?? check])
  }
  return (value) => isObject(value) && fields.every(([name, check]) => check(value[name]))
}
