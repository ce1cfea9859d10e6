import type { NextPart, Piece, Reader } from './piece.ts'
import { TextParts } from './text-parts.ts'

/** Strings, and bytes of UTF-8 that may be cut anywhere. */
export class TextReader implements Reader {
  readonly #texts: TextParts
  readonly #decoder = new TextDecoder()

  constructor(nextPart: NextPart) {
    this.#texts = new TextParts(nextPart)
  }

  *read(chunk: unknown): Iterable<Piece> {
    if (typeof chunk === 'string') yield* this.#texts.add('text', '', chunk)
    if (!(chunk instanceof Uint8Array)) return
    yield* this.#texts.add('text', '', this.#decoder.decode(chunk, { stream: true }))
  }

  *end(): Iterable<Piece> {
    yield* this.#texts.add('text', '', this.#decoder.decode())
  }
}
