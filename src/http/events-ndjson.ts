import type { Draft } from '../core/new-event.ts'
import type { BodyReader } from './append-stream.ts'
import { parseJson } from './body.ts'
import { draftOf } from './drafts.ts'
import { LineSplitter } from './line-splitter.ts'

/** Room for the envelope around an event's data. */
export const ENVELOPE_BYTES = 1024

/** Lines, one event each. [P-9.3] */
export class EventLines implements BodyReader {
  readonly #maxEventBytes: number
  readonly #splitter: LineSplitter
  #lines = 0

  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes
    this.#splitter = new LineSplitter(maxEventBytes + ENVELOPE_BYTES)
  }

  get lines(): number {
    return this.#lines
  }

  *push(chunk: Buffer): Generator<Draft> {
    for (const line of this.#splitter.push(chunk)) {
      const draft = this.#read(line)
      if (draft !== null) yield draft
    }
  }

  end(): Iterable<Draft> {
    const draft = this.#read(this.#splitter.end())
    return draft === null ? [] : [draft]
  }

  /** `null` of an empty line. */
  #read(line: Buffer): Draft | null {
    if (isBlank(line)) return null
    const draft = draftOf(parseJson(line), this.#maxEventBytes)
    this.#lines++
    return draft
  }
}

export function isBlank(line: Buffer): boolean {
  for (let i = 0; i < line.length; i++) {
    const byte = line[i]
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false
  }
  return true
}
