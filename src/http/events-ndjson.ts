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
    for (const line of this.#splitter.push(chunk)) yield* this.#read(line)
  }

  end(): Iterable<Draft> {
    return this.#read(this.#splitter.end())
  }

  *#read(line: Buffer): Generator<Draft> {
    if (isBlank(line)) return
    const draft = draftOf(parseJson(line), this.#maxEventBytes)
    this.#lines++
    yield draft
  }
}

export function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)
}
