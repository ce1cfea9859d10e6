import type { Part } from '../../protocol/messages.ts'
import { AgentError } from '../agent-error.ts'
import type { MessageWriter } from '../../protocol/formats/message-writer.ts'
import type { Interrupt, Piece } from '../../protocol/formats/piece.ts'
import { chunksOf, type Pipeable } from './read-stream.ts'

export interface Piped {
  /** The id of the message that it became. */
  readonly message: string
  readonly parts: readonly Part[]
  /** All of its text. */
  readonly text: string
  /** What a framework waits for a person with: ask, and run it again with the answers. */
  readonly interrupts: readonly Interrupt[]
  /** `interrupted`: the stream says that it was stopped. */
  readonly status: 'completed' | 'interrupted'
}

export interface PipeOptions {
  /** The message stays open: what is written next follows it there. */
  readonly keepOpen?: boolean
}

/** What of a stream is not for the message. */
export interface PipeHooks {
  step(step: string): void
  checkpoint(checkpoint: unknown): void
}

/**
 * Writes a stream into a message, as fast as the server takes it and no faster.
 * @throws AgentError `stream_failed`, when the stream tells of an error; the message is then ended as failed
 * @throws what the stream throws; the reason of the signal
 */
export async function pipeInto(
  message: MessageWriter,
  stream: Pipeable,
  signal: AbortSignal,
  hooks: PipeHooks,
  { keepOpen = false }: PipeOptions,
): Promise<Piped> {
  // What knows all the forms is loaded when somebody pipes.
  const { AnyReader } = await import('../../protocol/formats/any-reader.ts')
  const reader = new AnyReader(() => message.nextPart())
  const flow = new Flow(message, hooks)
  try {
    for await (const chunk of chunksOf(stream, signal)) {
      for (const piece of reader.read(chunk)) await flow.take(piece)
      if (flow.ended === 'failed') break
    }
    signal.throwIfAborted()
    for (const piece of reader.end()) await flow.take(piece)
    flow.refuseFailure()
  } catch (error) {
    if (!signal.aborted) await message.end('failed').catch(() => undefined)
    throw error
  }
  const status = flow.ended === 'interrupted' ? 'interrupted' : 'completed'
  if (!keepOpen) await message.end(status)
  const { id, parts, text } = message
  return { message: id, parts, text, interrupts: flow.interrupts, status }
}

/** What the pieces of one stream come to. */
class Flow {
  readonly interrupts: Interrupt[] = []
  ended: 'interrupted' | 'failed' | null = null
  #reason = ''
  readonly #message: MessageWriter
  readonly #hooks: PipeHooks

  constructor(message: MessageWriter, hooks: PipeHooks) {
    this.#message = message
    this.#hooks = hooks
  }

  /** @throws AgentError `stream_failed` */
  refuseFailure(): void {
    if (this.ended === 'failed') throw new AgentError('stream_failed', this.#reason)
  }

  async take(piece: Piece): Promise<void> {
    switch (piece.kind) {
      case 'text':
        return this.#message.addText(piece.part, piece.type, piece.text)
      case 'put':
        return this.#message.put(piece.part)
      case 'remove':
        return this.#message.remove(piece.parts)
      case 'metadata':
        return this.#message.describe(piece.metadata)
      case 'step':
        return this.#hooks.step(piece.step)
      case 'checkpoint':
        return this.#hooks.checkpoint(piece.checkpoint)
      case 'interrupt':
        this.interrupts.push(piece.interrupt)
        return
      case 'end':
        this.ended = piece.status
        this.#reason = piece.reason
    }
  }
}
