import type { Message } from '../fold/message.ts'
import type { Part, Role } from '../messages.ts'
import { isHighSurrogate, textDrafts, type Lane } from './draft.ts'
import { bytesOf, fitPart, fits } from './fit-part.ts'

export interface MessageOptions {
  /** Default `assistant`. */
  readonly role?: Role
  /** The message that this one answers; without it, the latest of the session. */
  readonly parent?: string | null
  readonly metadata?: Readonly<Record<string, unknown>>
}

export type NamedPart = Part & { readonly id: string }
export type Completion = 'completed' | 'interrupted' | 'failed'

interface Half {
  readonly part: string
  readonly type: string
  readonly unit: string
}

/**
 * Writes one message: begun with its first part, so that nothing is shown of one that stays empty. Where an earlier process of the run
 * left a message of this id, its content is written anew in its place: one message, however often the run is tried.
 */
export class MessageWriter {
  readonly id: string
  readonly #lane: Lane
  readonly #options: MessageOptions
  readonly #earlier: Message | null
  readonly #parts = new Map<string, Part>()
  readonly #keepBytes: number
  #keptBytes = 0
  #state: 'new' | 'open' | 'ended' = 'new'
  #named = 0
  #half: Half | null = null
  #broken = false
  /** What is known about the message beside its parts, and not written yet. */
  #metadata: Readonly<Record<string, unknown>> | undefined

  /**
   * @param goOn the earlier content stays, and what is written follows it
   * @param keepBytes of a message that grows beyond, only the names of the parts are kept
   */
  constructor(
    id: string,
    lane: Lane,
    options: MessageOptions,
    earlier: Message | null,
    goOn = false,
    keepBytes = Infinity,
  ) {
    this.id = id
    this.#lane = lane
    this.#options = options
    this.#earlier = earlier
    this.#keepBytes = keepBytes
    if (!goOn || earlier === null) return
    this.#state = 'open'
    for (const part of earlier.parts) this.#parts.set(part.id ?? this.nextPart(), part)
  }

  /** Nothing can be written to it any more. */
  get over(): boolean {
    return this.#broken || this.#state === 'ended'
  }

  get parts(): readonly Part[] {
    return [...this.#parts.values()]
  }

  /** All of its text, in order. */
  get text(): string {
    return this.parts
      .filter((part) => part.type === 'text')
      .map((part) => part.text ?? '')
      .join('')
  }

  /** The id of the part that comes last. */
  get lastPart(): string | undefined {
    return [...this.#parts.keys()].at(-1)
  }

  part(id: string): Part | undefined {
    return this.#parts.get(id)
  }

  /** A name that no part of this message has, and that is the same when the same is written again. */
  nextPart(): string {
    do this.#named++
    while (this.#parts.has(`p${this.#named}`))
    return `p${this.#named}`
  }

  /** Adds text to a part, which is made where it is not there. Half of a surrogate pair waits for the other one. */
  async addText(part: string, type: string, text: string): Promise<void> {
    const whole = this.#completeHalf(part, text)
    const last = whole.charCodeAt(whole.length - 1)
    const cut = isHighSurrogate(last) ? whole.length - 1 : whole.length
    if (cut < whole.length) this.#half = { part, type, unit: whole.slice(cut) }
    if (cut > 0) await this.#addWhole(part, type, whole.slice(0, cut))
  }

  /** Adds a part, in the place of the one with its id. */
  async put(part: NamedPart): Promise<void> {
    await this.#begin()
    const fitted = fitPart(part)
    this.#keep(fitted, bytesOf(fitted))
    if (this.#state !== 'ended') return this.#write('message.delta', { add: fitted })
    // A tool that was still at it when its message was ended.
    if (this.#isShort) await this.#send('message.replaced', { parts: this.parts })
  }

  /** Says something about the message: with its beginning, or else with its end. */
  describe(metadata: Readonly<Record<string, unknown>>): void {
    this.#metadata = { ...this.#metadata, ...metadata }
  }

  /** Takes back what was written last: the stream tries a step again. */
  async remove(ids: readonly string[]): Promise<void> {
    const there = ids.filter((id) => this.#parts.delete(id))
    if (there.length === 0) return
    if (this.#isShort) return this.#write('message.replaced', { parts: this.parts })
    // More than one event can say: emptied, one by one.
    for (const id of there) {
      await this.#write('message.delta', { add: { type: 'text', id, text: '', removed: true } })
    }
  }

  /** Ends it. Again is harmless. */
  async end(status: Completion = 'completed'): Promise<void> {
    if (this.over || this.#state === 'new') return
    if (this.#half !== null) {
      const { part, type } = this.#half
      this.#half = null
      await this.#addWhole(part, type, '\uFFFD')
    }
    this.#state = 'ended'
    const metadata = this.#metadata
    if (this.#isLeft) return this.#rewrite(metadata)
    await this.#write('message.completed', {
      ...(status !== 'completed' && { status }),
      ...(metadata !== undefined && { metadata }),
    })
  }

  /** An earlier process completed it: it takes no deltas, and is put in its place as a whole. */
  get #isLeft(): boolean {
    return this.#earlier !== null && this.#earlier.status !== 'open'
  }

  /** All of it is known, and one event can hold it. */
  get #isShort(): boolean {
    return this.#keptBytes <= this.#keepBytes && fits(this.parts)
  }

  #keep(part: NamedPart, bytes: number): void {
    const forgot = this.#keptBytes > this.#keepBytes
    this.#keptBytes += bytes
    this.#parts.set(part.id, part)
    if (this.#keptBytes <= this.#keepBytes) return
    // Setting what is there keeps its place.
    for (const [id, { type }] of forgot ? [[part.id, part] as const] : this.#parts)
      this.#parts.set(id, { type, id })
  }

  async #begin(): Promise<void> {
    if (this.#state !== 'new') return
    this.#state = 'open'
    const { role = 'assistant', parent } = this.#options
    if (this.#earlier !== null) return this.#write('message.replaced', { parts: [] })
    const given = this.#options.metadata
    const metadata = given === undefined ? this.#metadata : { ...given, ...this.#metadata }
    this.#metadata = undefined
    await this.#write('message.started', {
      role,
      ...(parent !== undefined && { parent }),
      ...(metadata !== undefined && { metadata }),
    })
  }

  async #rewrite(metadata?: object): Promise<void> {
    const earlier = this.#earlier
    if (earlier === null || earlier.status === 'deleted') return
    // A text that is longer than one event stands as it was completed first.
    if (!this.#isShort) return
    if (JSON.stringify(earlier.parts) === JSON.stringify(this.parts)) return
    await this.#send('message.replaced', {
      parts: this.parts,
      ...(metadata !== undefined && { metadata }),
    })
  }

  #completeHalf(part: string, text: string): string {
    if (this.#half?.part !== part || text === '') return text
    const { unit } = this.#half
    this.#half = null
    return unit + text
  }

  async #addWhole(part: string, type: string, text: string): Promise<void> {
    await this.#begin()
    const old = this.#parts.get(part)
    this.#keep({ type, ...old, id: part, text: (old?.text ?? '') + text }, text.length)
    for (const { type: event, data } of textDrafts(this.id, part, type, text)) {
      await this.#write(event, data)
    }
  }

  async #write(type: string, data: object): Promise<void> {
    if (!this.#isLeft) await this.#send(type, data)
  }

  async #send(type: string, data: object): Promise<void> {
    try {
      await this.#lane.write({ type, data: { message: this.id, ...data } })
    } catch (error) {
      this.#broken = true
      throw error
    }
  }
}
