import type { NamedPart } from './message-writer.ts'

/** What one chunk of a stream means for a message, whatever the stream's form. */
export type Piece =
  | {
      readonly kind: 'text'
      readonly part: string
      readonly type: 'text' | 'reasoning' | 'tool'
      readonly text: string
    }
  | { readonly kind: 'put'; readonly part: NamedPart }
  /** A step is tried again: what it wrote is taken back. */
  | { readonly kind: 'remove'; readonly parts: readonly string[] }
  | { readonly kind: 'metadata'; readonly metadata: Readonly<Record<string, unknown>> }
  | { readonly kind: 'step'; readonly step: string }
  | { readonly kind: 'checkpoint'; readonly checkpoint: unknown }
  /** The agent's framework waits for a person: the caller asks. */
  | { readonly kind: 'interrupt'; readonly interrupt: Interrupt }
  /** The stream says itself how it ended. */
  | { readonly kind: 'end'; readonly status: 'interrupted' | 'failed'; readonly reason: string }

export interface Interrupt {
  readonly id: string
  readonly value: unknown
}

/** Reads one form of chunk; keeps what later chunks refer to. */
export interface Reader {
  read(chunk: unknown): Iterable<Piece>
  /** What is still to say when the stream is over. */
  end?(): Iterable<Piece>
}

/** Names parts: in the order in which they come, so that the same stream has the same names again. */
export type NextPart = () => string

/** Others have ids of their own form; a part's is of ours. [P-1.1] */
export function partId(kind: string, id: string): string {
  return `${kind}-${id.replaceAll(/[^A-Za-z0-9_.:~-]/g, '_')}`.slice(0, 128)
}

export type Chunk = Readonly<Record<string, unknown>>

export function isChunk(value: unknown): value is Chunk {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A field that is a text, or `null`. */
export function textOf(chunk: Chunk, field: string): string | null {
  const value = chunk[field]
  return typeof value === 'string' ? value : null
}

/** JSON, where it is that; else the text. */
export function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
