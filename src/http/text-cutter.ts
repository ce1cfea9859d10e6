import { HeldlineError } from '../protocol/errors.ts'
import { isHighSurrogate } from '../protocol/formats/draft.ts'

/** Bytes of UTF-8 that are cut anywhere, to text. */
export class TextCutter {
  readonly #exact: boolean
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  #rest = ''

  /** @param exact the same text is cut in the same places, however its bytes arrive */
  constructor(exact: boolean) {
    this.#exact = exact
  }

  /** @throws HeldlineError `invalid_utf8` */
  push(bytes: Buffer): Iterable<string> {
    return this.#cut(this.#decode(bytes))
  }

  /** @throws HeldlineError `invalid_utf8` */
  *end(): Generator<string> {
    yield* this.#cut(this.#decode())
    if (this.#rest !== '') yield this.#rest
  }

  *#cut(text: string): Generator<string> {
    if (!this.#exact) return yield* slices(text)
    const all = this.#rest + text
    let from = 0
    for (let to = endOfPiece(all, from); to > 0; to = endOfPiece(all, from)) {
      yield all.slice(from, to)
      from = to
    }
    this.#rest = all.slice(from)
  }

  #decode(bytes?: Buffer): string {
    try {
      return bytes === undefined
        ? this.#decoder.decode()
        : this.#decoder.decode(bytes, { stream: true })
    } catch {
      throw new HeldlineError('invalid_utf8', 'unable to append on; the text is not UTF-8')
    }
  }
}

/** Small enough for any event; neighbours are joined again to what an event can hold. */
const SLICE = 1024

function* slices(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const isPair = isHighSurrogate(text.charCodeAt(from + SLICE - 1))
    const to = from + (isPair ? SLICE - 1 : SLICE)
    yield text.slice(from, to)
    from = to
  }
}

/**
 * A word with the space after it, one character of a script without spaces, or 32 characters of what has neither: where a piece ends depends on
 * nothing that comes after it.
 */
const PIECE = /[^\s\u2E80-\u{10FFFF}]{0,31}[\s\u2E80-\u{10FFFF}]|[^\s\u2E80-\u{10FFFF}]{32}/uy

/** Where the piece ends that begins there; 0 where its end has not come. */
function endOfPiece(text: string, from: number): number {
  PIECE.lastIndex = from
  return PIECE.test(text) ? PIECE.lastIndex : 0
}
