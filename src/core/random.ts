import type { Epoch, Tag } from '../protocol/ids.ts'

/** Randomness as a port. Every value is unguessable. */
export interface Random {
  /** 48 bits. */
  tag(): Tag
  /** 60 bits. */
  epoch(): Epoch
  /** 96 bits, 16 base64url characters that begin with a letter. */
  id(): string
  /** A number in [0, 1), for jitter alone. */
  fraction(): number
}
