import type { DownFrame } from '../protocol/frames-down.ts'
import type { SessionId } from '../protocol/ids.ts'
import { formatPosition, type Position } from '../protocol/position.ts'
import type { StoredEvent } from './store.ts'

/**
 * A frame to clients as text. One object may go to any number of readers: a transport encodes it the first time and finds its own
 * form again by the object.
 */
export interface Frame {
  readonly text: string
  readonly type: DownFrame['type']
  /** The position that a reader has reached with this frame; `null`: it moves nobody. */
  readonly reaches: Position | null
}

export function frame(content: DownFrame, reaches: Position | null = null): Frame {
  return { text: JSON.stringify(content), type: content.type, reaches }
}

/** Events go in as the texts that they are: joined, not encoded again. */
export function eventsFrame(
  session: SessionId,
  events: readonly StoredEvent[],
  reaches: Position,
): Frame {
  let text = `{"type":"events","session":${JSON.stringify(session)},"events":[`
  for (const [index, event] of events.entries()) text += index === 0 ? event.text : `,${event.text}`
  return { text: `${text}]}`, type: 'events', reaches }
}

export interface SnapshotPiece {
  readonly session: SessionId
  readonly position: Position
  readonly since: number | null
  /** JSON texts of messages. */
  readonly messages: readonly string[]
  /** JSON text of the rest, on the last piece. */
  readonly rest: string | null
}

export function snapshotFrame(piece: SnapshotPiece): Frame {
  const since = piece.since === null ? '' : `"since":${piece.since},`
  const rest = piece.rest === null ? '' : `"rest":${piece.rest},`
  const text =
    `{"type":"snapshot","session":${JSON.stringify(piece.session)},"position":"${formatPosition(piece.position)}",` +
    `${since}"messages":[${piece.messages.join(',')}],${rest}"last":${piece.rest !== null}}`
  return { text, type: 'snapshot', reaches: piece.rest === null ? null : piece.position }
}
