import { encodeBody } from '../protocol/codec.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { By } from '../protocol/event.ts'
import { objectMembers } from '../protocol/json.ts'
import { exceedsBytes } from './bytes.ts'
import type { Random } from './random.ts'
import type { NewEvent } from './store.ts'

/** JSON text of an object: fields of ours, and values of a caller as the bytes that came; `null`: there is none. */
export function withRaw(fields: object, raw: Readonly<Record<string, string | null>>): string {
  const own = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${JSON.stringify(key)}:${JSON.stringify(value)}`],
  )
  const theirs = Object.entries(raw).flatMap(([key, text]) =>
    text === null ? [] : [`${JSON.stringify(key)}:${text}`],
  )
  return `{${[...own, ...theirs].join(',')}}`
}

/** A value within JSON text of an object, as the bytes that came; `null`: it is not there. */
export function rawMember(text: string | null, name: string): string | null {
  if (text === null) return null
  return objectMembers(text).find(({ key }) => key === name)?.raw ?? null
}

/** An event of the server around data that is text already. */
export function rawEventOf(type: string, rawData: string, by: By, random: Random): NewEvent {
  return { tag: random.tag(), body: encodeBody(type, random.id(), by, rawData) }
}

/** @throws HeldlineError `payload_too_large` */
export function demandSize(name: string, raw: string | null, maxBytes: number): void {
  if (raw === null || !exceedsBytes(raw, maxBytes)) return
  throw new HeldlineError(
    'payload_too_large',
    `unable to take ${name}; it is over ${maxBytes} bytes`,
    {
      facts: { maxBytes },
    },
  )
}
