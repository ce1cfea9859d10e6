import { HeldlineError } from '../protocol/errors.ts'
import { tooLarge } from './body.ts'
import { isBlank } from './events-ndjson.ts'
import { LineSplitter } from './line-splitter.ts'

/** Cuts a body into the texts of a framework's chunks. */
export interface ChunkLines {
  push(bytes: Buffer): Iterable<Buffer>
  end(): Iterable<Buffer>
}

/** One chunk a line. */
export class JsonLines implements ChunkLines {
  readonly #splitter: LineSplitter

  constructor(maxBytes: number) {
    this.#splitter = new LineSplitter(maxBytes)
  }

  *push(bytes: Buffer): Generator<Buffer> {
    for (const line of this.#splitter.push(bytes)) if (!isBlank(line)) yield line
  }

  *end(): Generator<Buffer> {
    const line = this.#splitter.end()
    if (!isBlank(line)) yield line
  }
}

const BOM = Buffer.from('\uFEFF')
/** Room for the name of a field. */
const NAME_BYTES = 8

/** One chunk a server-sent event: its `data`. What the other fields say is not part of the chunk. */
export class SseLines implements ChunkLines {
  readonly #splitter: LineSplitter
  readonly #maxBytes: number
  #first = true
  #data: Buffer | null = null

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#splitter = new LineSplitter(maxBytes + NAME_BYTES)
  }

  *push(bytes: Buffer): Generator<Buffer> {
    for (const line of this.#splitter.push(bytes)) yield* this.#read(line)
  }

  /** A last event is taken without the empty line that would end it, too. */
  *end(): Generator<Buffer> {
    yield* this.#read(this.#splitter.end())
    yield* this.#dispatch()
  }

  *#read(raw: Buffer): Generator<Buffer> {
    const start = this.#first && raw.subarray(0, 3).equals(BOM) ? 3 : 0
    this.#first = false
    const line = raw.subarray(start, raw.at(-1) === 0x0d ? -1 : undefined)
    if (line.length === 0) return yield* this.#dispatch()
    const colon = line.indexOf(0x3a)
    if (colon === 0) return
    const name = line.toString('latin1', 0, colon < 0 ? line.length : colon)
    if (name === 'event' || name === 'id' || name === 'retry') return
    if (name !== 'data') throw notSse()
    const value = colon < 0 ? Buffer.alloc(0) : line.subarray(colon + 1)
    this.#add(value[0] === 0x20 ? value.subarray(1) : value)
  }

  #add(value: Buffer): void {
    const data = this.#data === null ? value : Buffer.concat([this.#data, NEWLINE, value])
    if (data.length > this.#maxBytes) throw tooLarge(this.#maxBytes)
    this.#data = data
  }

  *#dispatch(): Generator<Buffer> {
    const data = this.#data
    this.#data = null
    if (data !== null && !isBlank(data)) yield data
  }
}

const NEWLINE = Buffer.from('\n')

/** A body that is something else would else be passed over without a word. */
function notSse(): HeldlineError {
  return new HeldlineError(
    'invalid_request',
    'unable to append on; a line is none of server-sent events',
  )
}
