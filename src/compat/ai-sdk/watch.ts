import type { Sink } from '../../core/cursor.ts'
import type { Batch } from '../../core/feed.ts'
import type { Following, Hub } from '../../core/hub.ts'
import { isOfNoun } from '../../protocol/codec.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Position } from '../../protocol/position.ts'

/** What changes a response: what an agent says and asks, and what becomes of its run and of its input. */
const NOUNS = ['message', 'run', 'input', 'question']

/**
 * A cursor that says when something has happened. What has, the view says: so a reader that was slow, or that comes later, is told the same by
 * the same code, and nothing waits for it in memory.
 */
export class Watch implements Sink {
  readonly #happened: () => void
  #following: Following | null = null
  #placed = false

  private constructor(happened: () => void) {
    this.#happened = happened
  }

  /** @throws HeldlineError `session_not_found`, `draining`, what the store throws */
  static async open(hub: Hub, session: SessionId, happened: () => void): Promise<Watch> {
    const watch = new Watch(happened)
    watch.#following = await hub.follow(session, null, watch, () => undefined)
    return watch
  }

  /** A view was looked at: from here on, what follows it is news. */
  seen(position: Position): void {
    if (this.#placed) return
    this.#placed = true
    this.#following?.cursor.move(position)
  }

  close(): void {
    this.#following?.close()
    this.#following = null
  }

  ready(): boolean {
    return true
  }

  deliver({ events }: Batch): void {
    if (events.some(({ text }) => NOUNS.some((noun) => isOfNoun(text, noun)))) this.#happened()
  }

  reset(): void {
    this.#placed = false
    this.#happened()
  }

  /** The session was removed: whoever looks finds out. */
  gone(): void {
    this.#happened()
  }

  /** The store did not answer: the hub makes the cursor look again. */
  failed(): void {}
}
