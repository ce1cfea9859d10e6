import type { Chunk } from './piece.ts'

/**
 * The AI SDK's words, as far as they are needed here: its messages, their parts, and the chunks that a message is streamed as. Loose, since every version adds
 * to them; tests hold what we make against the schemas of the SDK itself.
 */
export interface UiMessage {
  readonly id: string
  readonly role: 'system' | 'user' | 'assistant'
  readonly metadata?: unknown
  readonly parts: readonly UiPart[]
}

/** A field may be `undefined` until it is told: then it is not there. */
export interface UiPart extends Chunk {
  readonly type: string
}

export interface UiMessageChunk extends Chunk {
  readonly type: string
}
