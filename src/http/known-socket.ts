import { timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Grant } from '../core/access.ts'

/** What the last good request of a socket showed, and what it proved. */
interface Shown {
  readonly header: Buffer
  readonly grant: Grant
}

const SHOWN = Symbol('shown')
type Known = Socket & { [SHOWN]?: Shown }

/**
 * A server sends the same key with every request of a connection, and its proof costs more than all else about it: what was shown
 * before, on this very connection, is compared instead, in constant time. `null`: something else is shown now.
 */
export function recall(socket: Known, header: string): Grant | null {
  const shown = socket[SHOWN]
  if (shown === undefined) return null
  const bytes = Buffer.from(header, 'latin1')
  if (bytes.length !== shown.header.length) return null
  return timingSafeEqual(bytes, shown.header) ? shown.grant : null
}

/** Only keys: a token may end, or be taken back, between two requests. */
export function remember(socket: Known, header: string, grant: Grant): void {
  if (grant.expiresAt !== null) return
  socket[SHOWN] = { header: Buffer.from(header, 'latin1'), grant }
}
