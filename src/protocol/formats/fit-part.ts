import type { NamedPart } from './message-writer.ts'

/** An event is at most 64 KiB, its envelope included. */
const MAX_BYTES = 60 * 1024

const encoder = new TextEncoder()

export function bytesOf(value: unknown): number {
  const text = JSON.stringify(value)
  // Most are small; a character is at most 3 bytes of UTF-8.
  return text.length * 3 <= MAX_BYTES ? text.length : encoder.encode(text).length
}

export function fits(value: unknown): boolean {
  return bytesOf(value) <= MAX_BYTES
}

/** A part that an event can hold: of one that is too large, the largest fields are left out, and `omitted` says which. */
export function fitPart(part: NamedPart): NamedPart {
  let fitted = part
  const omitted: string[] = []
  while (!fits(fitted)) {
    const largest = Object.entries(fitted)
      .filter(([name, value]) => !KEPT.has(name) && value !== undefined)
      .toSorted(([, a], [, b]) => bytesOf(b) - bytesOf(a))[0]
    if (largest === undefined) return fitted
    omitted.push(largest[0])
    fitted = { ...fitted, [largest[0]]: undefined, omitted }
  }
  return fitted
}

const KEPT = new Set(['type', 'id', 'omitted'])
