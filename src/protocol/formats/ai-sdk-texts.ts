import { partId, type NextPart, type Piece } from './piece.ts'

interface Text {
  readonly type: 'text' | 'reasoning'
  /** The stream's own id of it, which may come again later for another part. */
  readonly id: string
  readonly part: string
  written: boolean
  /** What the provider says about it, as far as it is not written yet. */
  metadata: unknown
  /** Another part has begun meanwhile, and it was written that this one is not over. */
  marked: boolean
  /** Nothing said that it begins, so nothing will say that it is over. */
  readonly loose: boolean
}

/** What is said about a part beside its text. See `AiSdkReader`. */
interface Info {
  readonly done?: true
  readonly open?: true
  readonly providerMetadata?: unknown
  readonly citations?: unknown
}

/**
 * The text and reasoning parts of an AI SDK stream. Text goes into the part as it comes. What else there is to say about the part is a part beside it,
 * `part-info`, written only where it does not follow from the parts: that a part is over once another one follows it, or its message is completed.
 */
export class AiSdkTexts {
  readonly #nextPart: NextPart
  readonly #open = new Map<string, Text>()
  /** What the provider said last, by the part: it stays where more is said. */
  readonly #said = new Map<string, Info>()
  /** The latest part, where it is a text that is over and nothing says so yet. */
  #ended: string | null = null

  constructor(nextPart: NextPart) {
    this.#nextPart = nextPart
  }

  begin(type: Text['type'], id: string, metadata: unknown, loose = false): Text {
    const part = this.#nextPart()
    const text = { type, id, part, written: false, metadata, marked: false, loose }
    this.#open.set(`${type} ${id}`, text)
    this.#ended = null
    return text
  }

  *add(type: Text['type'], id: string, added: string, metadata: unknown): Iterable<Piece> {
    const text = this.#open.get(`${type} ${id}`) ?? this.begin(type, id, undefined, true)
    if (metadata !== undefined) text.metadata = metadata
    if (added === '') return
    // A part with nothing but its text begins with that.
    if (text.type === 'reasoning' || text.metadata !== undefined) yield* this.#write(text)
    text.written = true
    yield { kind: 'text', part: text.part, type, text: added }
  }

  *end(type: Text['type'], id: string, metadata: unknown, citations: unknown): Iterable<Piece> {
    const text = this.#open.get(`${type} ${id}`)
    if (text === undefined) return
    this.#open.delete(`${type} ${id}`)
    if (metadata !== undefined) text.metadata = metadata
    const begun = text.written
    yield* this.#write(text)
    if (text.marked || (begun && text.metadata !== undefined) || citations !== undefined) {
      yield this.#info(text, { done: true, ...(citations !== undefined && { citations }) })
    } else this.#ended = text.part
  }

  /** Another part begins: those that are open are in their places before it, and go on beside it. */
  *others(): Iterable<Piece> {
    this.#ended = null
    for (const text of this.#open.values()) {
      yield* this.#write(text)
      if (!text.marked) yield this.#info(text, { open: true })
      text.marked = true
    }
  }

  /** The stream ends in the middle: which part was over does not follow from the parts. */
  *cut(): Iterable<Piece> {
    for (const text of this.#open.values()) {
      const begun = text.written
      yield* this.#write(text)
      if (begun && text.metadata !== undefined) yield this.#info(text, {})
    }
    if (this.#ended !== null) yield this.#info({ part: this.#ended }, { done: true })
  }

  nextStep(): void {
    for (const [key, { loose }] of this.#open) if (loose) this.#open.delete(key)
  }

  /** Whatever comes next is a new part. */
  forget(): void {
    this.#open.clear()
    this.#ended = null
  }

  *#write(text: Text): Iterable<Piece> {
    if (text.written) return
    text.written = true
    const { type, part: id, metadata } = text
    const named = type === 'reasoning' && text.id !== '' ? { streamId: text.id } : {}
    const said = metadata === undefined ? {} : { providerMetadata: metadata }
    text.metadata = undefined
    yield { kind: 'put', part: { type, id, text: '', ...named, ...said } }
  }

  #info(text: Pick<Text, 'part'> & Partial<Text>, info: Info): Piece {
    const { part, metadata } = text
    const { providerMetadata: before } = this.#said.get(part) ?? {}
    const providerMetadata = metadata ?? before
    const all = { ...info, ...(providerMetadata !== undefined && { providerMetadata }) }
    this.#said.set(part, all)
    return {
      kind: 'put',
      part: { type: 'part-info', id: partId('info', part), part, ...all },
    }
  }
}
