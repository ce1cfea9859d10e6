import { tooLarge } from './body.ts'

const NEWLINE = 0x0a

/** Bytes as they come, to lines. Holds at most the beginning of one line, and that is bounded. */
export class LineSplitter {
  readonly #maxBytes: number
  #rest: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The lines that are complete with this chunk, one by one, so that those before a mistake can still be taken.
   * @throws HeldlineError `payload_too_large`
   */
  *push(chunk: Buffer): Generator<Buffer> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield this.#take(chunk.subarray(start, end))
      start = end + 1
    }
    if (start === chunk.length) return
    this.#hold(chunk.subarray(start))
  }

  /** What came after the last newline; empty where nothing did. */
  end(): Buffer {
    return this.#take(Buffer.alloc(0))
  }

  #take(piece: Buffer): Buffer {
    if (this.#bytes === 0) {
      this.#check(piece.length)
      return piece
    }
    this.#hold(piece)
    const line = Buffer.concat(this.#rest, this.#bytes)
    this.#rest = []
    this.#bytes = 0
    return line
  }

  #hold(piece: Buffer): void {
    this.#bytes += piece.length
    this.#check(this.#bytes)
    // A copy: the socket's own buffer must not be kept alive by a few bytes of it.
    this.#rest.push(Buffer.from(piece))
  }

  #check(bytes: number): void {
    if (bytes > this.#maxBytes) throw tooLarge(this.#maxBytes)
  }
}
