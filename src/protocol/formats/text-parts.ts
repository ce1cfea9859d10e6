import type { NextPart, Piece } from './piece.ts'

/** The text parts of a stream, by the stream's own ids, which may come again later for another part. */
export class TextParts {
  readonly #nextPart: NextPart
  readonly #open = new Map<string, string>()

  constructor(nextPart: NextPart) {
    this.#nextPart = nextPart
  }

  /** What comes with this id is a new part. */
  begin(type: 'text' | 'reasoning', id: string): void {
    this.#open.delete(`${type} ${id}`)
  }

  *add(type: 'text' | 'reasoning', id: string, text: string): Iterable<Piece> {
    if (text === '') return
    const key = `${type} ${id}`
    const part = this.#open.get(key) ?? this.#nextPart()
    this.#open.set(key, part)
    yield { kind: 'text', part, type, text }
  }

  /** Whatever comes next is a new part. */
  endAll(): void {
    this.#open.clear()
  }
}
