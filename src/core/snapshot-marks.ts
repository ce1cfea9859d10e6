import type { SessionId } from '../protocol/ids.ts'
import type { Limits } from './limits.ts'
import type { Committed } from './store.ts'

/** Beyond it all are forgotten, and looked up once more than was needed. */
const MAX_MARKS = 10_000

type EndLimits = Pick<Limits, 'snapshotAtEndEvents' | 'snapshotAtEndBytes' | 'snapshotAtEndText'>

/**
 * Where the stored snapshots stand, as far as this node has seen: at the end of a message, when people come to read it, that tells without a question
 * to the store whether a cold node would be long in making the view. After most messages it would not.
 */
export class SnapshotMarks {
  readonly #limits: EndLimits
  readonly #textLength: (session: SessionId) => number
  readonly #marks = new Map<SessionId, Mark>()

  /** @param textLength how long the latest message is, as far as this node knows */
  constructor(limits: EndLimits, textLength: (session: SessionId) => number) {
    this.#limits = limits
    this.#textLength = textLength
  }

  set(session: SessionId, { epoch }: Committed, serial: number): void {
    if (this.#marks.size >= MAX_MARKS) this.#marks.clear()
    this.#marks.set(session, { epoch, serial })
  }

  /** Whether a snapshot may be worth it; where this node has not seen one, there may be none. */
  mayBeFar(session: SessionId, done: Committed): boolean {
    const mark = this.#marks.get(session)
    return this.isFar(session, mark?.epoch === done.epoch ? mark.serial : 0, done)
  }

  /**
   * Whether from a snapshot at `serial` to a commit it is far: by what is to be read back, in events or, as the log's mean has it, in bytes; or because the
   * message that has changed since is long to encode.
   */
  isFar(session: SessionId, serial: number, { last, floor, bytes }: Committed): boolean {
    const { snapshotAtEndEvents, snapshotAtEndBytes, snapshotAtEndText } = this.#limits
    const events = last - Math.max(serial, floor)
    const mean = bytes / Math.max(1, last - floor)
    if (events > snapshotAtEndEvents || events * mean > snapshotAtEndBytes) return true
    return events > 0 && this.#textLength(session) > snapshotAtEndText
  }
}

interface Mark {
  readonly epoch: Committed['epoch']
  readonly serial: number
}
