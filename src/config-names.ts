import { SETTINGS, type Setting } from './config.ts'

/** A variable that is set and that nothing reads, and the setting that it is near to. */
export interface Misspelt {
  readonly name: string
  readonly meant: string
}

/** Shorter ones are near to too much that is no mistake: HOST and HOME, PORT and POST. */
const MIN_LETTERS = 7
/** From so many letters on, two of them may be wrong. */
const LONG = 12
const PREFIX = 'HELDLINE_'
/** Those of the command line; and what Kubernetes sets beside a service of that name. */
const OTHERS = new Set(['HELDLINE_URL', 'HELDLINE_KEY', 'HELDLINE_PORT', 'HELDLINE_HOST'])

/** What somebody set who meant a setting: it would be left out in silence. Never about a setting that is set, too. */
export function misspelt(env: Readonly<Record<string, string | undefined>>): readonly Misspelt[] {
  const isSet = (name: string): boolean => (env[name]?.trim() ?? '') !== ''
  const names = namesOfSettings()
  const given = new Set(names.filter(isSet))
  const open = names.filter((name) => !given.has(name) && !given.has(otherWay(name)))
  return Object.keys(env).flatMap((name) => {
    if (names.includes(name) || OTHERS.has(name) || !isSet(name)) return []
    const meant = nearest(name, open)
    return meant === null ? [] : [{ name, meant }]
  })
}

/** In words, without the value: it may be a secret. */
export function sayMisspelt({ name, meant }: Misspelt): string {
  return `${name} is set, and is not read; ${meant} is`
}

function namesOfSettings(): readonly string[] {
  const settings = Object.values(SETTINGS).flatMap((table) =>
    Object.entries<Setting<unknown>>(table),
  )
  return settings.flatMap(([name, { file }]) => (file === true ? [name, `${name}_FILE`] : [name]))
}

function otherWay(name: string): string {
  return name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`
}

function nearest(name: string, settings: readonly string[]): string | null {
  const prefixed = name.startsWith(PREFIX)
  const bare = (prefixed ? name.slice(PREFIX.length) : name).toUpperCase()
  // Only what is secret may come in a file.
  const [, unfiled] = /^(.+)_FILE$/.exec(bare) ?? []
  const found = settings
    .filter((setting) => setting.length >= MIN_LETTERS || (prefixed && setting === bare))
    .map((setting) => ({
      setting,
      wrong: setting === unfiled ? 0 : wrongLetters(bare, setting),
    }))
    .filter(({ setting, wrong }) => wrong <= (setting.length >= LONG ? 2 : 1))
    .toSorted((one, other) => one.wrong - other.wrong)
  return found[0]?.setting ?? null
}

/** How many letters are missing, too many, others or in each other's places; underscores count for nothing. */
function wrongLetters(one: string, other: string): number {
  const [a, b] = [one, other].map((name) => name.replaceAll('_', ''))
  return distance(a ?? '', b ?? '')
}

function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const other = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const ways = [at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + other]
      next.push(Math.min(...ways, ...(swapped ? [at(before, j - 2) + 1] : [])))
    }
    before = row
    row = next
  }
  return at(row, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
