import { HeldlineError } from '../protocol/errors.ts'
import type { Draft, Lane } from '../protocol/formats/draft.ts'
import { MessageWriter, type MessageOptions } from '../protocol/formats/message-writer.ts'
import type { NextPart, Piece, Reader } from '../protocol/formats/piece.ts'

/** Of what a message has already said, so much is kept for when its stream takes a step back. */
const KEEP_BYTES = 1024 * 1024
/** What a reader may keep of a stream: the calls of tools, and the names of all that comes. */
const HELD_BYTES = 16 * 1024 * 1024

/** What a stream's chunks come to: the events of one message, the same that the agent's side makes of them. */
export class StreamedMessage {
  readonly #reader: Reader
  /** The message's id, asked for when it begins. */
  readonly #id: () => string
  readonly #options: MessageOptions
  readonly #lane: Lane
  #drafts: Draft[] = []
  #message: MessageWriter | null = null
  #status: 'completed' | 'interrupted' | 'failed' = 'completed'
  #textPart = ''
  #held = 0

  /** @param parent what it follows; `undefined`: the latest of the session */
  constructor(readerOf: (nextPart: NextPart) => Reader, id: () => string, parent?: string | null) {
    this.#id = id
    this.#options = parent === undefined ? {} : { parent }
    this.#reader = readerOf(() => this.#begun.nextPart())
    this.#lane = { write: (draft) => Promise.resolve(void this.#drafts.push(draft)) }
  }

  /**
   * What the chunk comes to; usually one event, often none.
   * @param bytes how large it is
   * @throws HeldlineError `payload_too_large`, when the stream's tool calls and data are too much to hold
   */
  async read(chunk: unknown, bytes: number): Promise<readonly Draft[]> {
    // It told of its failure: nothing that it says afterwards is part of the message.
    if (this.#status === 'failed') return []
    const pieces = [...this.#reader.read(chunk)]
    this.#hold(pieces, bytes)
    for (const piece of pieces) await this.#take(piece)
    if (this.#failed) await this.#begun.end('failed')
    return this.#taken()
  }

  /** What is still to say when the stream is over: that the message is, too. */
  async end(): Promise<readonly Draft[]> {
    if (this.#failed) return []
    for (const piece of this.#reader.end?.() ?? []) await this.#take(piece)
    await this.#begun.end(this.#status)
    return this.#taken()
  }

  get #failed(): boolean {
    return this.#status === 'failed'
  }

  get #begun(): MessageWriter {
    this.#message ??= new MessageWriter(
      this.#id(),
      this.#lane,
      this.#options,
      null,
      false,
      KEEP_BYTES,
    )
    return this.#message
  }

  #taken(): readonly Draft[] {
    const drafts = this.#drafts
    this.#drafts = []
    return drafts
  }

  async #take(piece: Piece): Promise<void> {
    switch (piece.kind) {
      case 'text':
        return this.#begun.addText(piece.part, piece.type, piece.text)
      case 'put':
        return this.#begun.put(piece.part)
      case 'remove':
        return this.#begun.remove(piece.parts)
      case 'metadata':
        return this.#begun.describe(piece.metadata)
      case 'end':
        this.#status = piece.status
        return
      case 'step':
      case 'checkpoint':
      case 'interrupt':
      // They are the run's, not the message's: its agent says them.
    }
  }

  /** Text that goes on leaves nothing behind. */
  #hold(pieces: readonly Piece[], bytes: number): void {
    const isMore = pieces.every(
      (piece) => piece.kind === 'text' && piece.type !== 'tool' && piece.part === this.#textPart,
    )
    if (isMore && pieces.length > 0) return
    const last = pieces.at(-1)
    if (last?.kind === 'text') this.#textPart = last.part
    this.#held += bytes
    if (this.#held <= HELD_BYTES) return
    throw new HeldlineError(
      'payload_too_large',
      `unable to append on; the tool calls and data of the stream are over ${HELD_BYTES} bytes`,
      { facts: { maxBytes: HELD_BYTES } },
    )
  }
}
