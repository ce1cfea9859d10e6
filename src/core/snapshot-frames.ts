import type { View } from '../protocol/fold/view.ts'
import type { SessionId } from '../protocol/ids.ts'
import { samePosition, type Position } from '../protocol/position.ts'
import { snapshotFrame, type Frame } from './frame.ts'
import type { Limits } from './limits.ts'
import { messageText } from './message-text.ts'

interface Kept {
  readonly position: Position
  readonly frames: readonly Frame[]
  readonly bytes: number
}

/**
 * Whole views as frames, for everybody who joins at one position: a long answer is encoded for the first of them, and once only. A
 * fold is the same wherever it is made, so that the position alone says whether frames are still right.
 */
export class SnapshotFrames {
  readonly #limits: Limits
  /** In the order of last use. */
  readonly #kept = new Map<SessionId, Kept>()
  #bytes = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  of(session: SessionId, view: View): readonly Frame[] {
    const kept = this.#kept.get(session)
    this.forget(session)
    const same = kept !== undefined && samePosition(kept.position, view.position)
    return this.#keep(session, same ? kept : this.#make(session, view))
  }

  forget(session: SessionId): void {
    this.#bytes -= this.#kept.get(session)?.bytes ?? 0
    this.#kept.delete(session)
  }

  #make(session: SessionId, view: View): Kept {
    const frames = snapshotPieces(session, view, null, this.#limits.pageBytes)
    // The text, and the bytes that a transport makes of it.
    const bytes = frames.reduce((sum, { text }) => sum + 2 * text.length, 0)
    return { position: view.position, frames, bytes }
  }

  #keep(session: SessionId, made: Kept): readonly Frame[] {
    this.#kept.set(session, made)
    this.#bytes += made.bytes
    for (const [oldest] of this.#kept) {
      if (this.#bytes <= this.#limits.snapshotBytesOfAll) break
      this.forget(oldest)
    }
    return made.frames
  }
}

/** A view as frames of bounded size; one message is never split. [P-4.5] */
export function snapshotPieces(
  session: SessionId,
  view: View,
  since: Position | null,
  maxBytes: number,
): Frame[] {
  const common = { session, position: view.position, since: since?.serial ?? null }
  const pieces: Frame[] = []
  let texts: string[] = []
  let bytes = 0
  for (const message of view.messages.values()) {
    if (since !== null && message.serial <= since.serial) continue
    const text = messageText(message)
    if (bytes > 0 && bytes + text.length > maxBytes) {
      pieces.push(snapshotFrame({ ...common, messages: texts, rest: null }))
      texts = []
      bytes = 0
    }
    texts.push(text)
    bytes += text.length
  }
  pieces.push(snapshotFrame({ ...common, messages: texts, rest: JSON.stringify(view.rest()) }))
  return pieces
}
