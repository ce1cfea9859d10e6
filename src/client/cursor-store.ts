import type { Clock } from '../sdk/clock.ts'
import { store, stored, type StorageArea } from './storage.ts'
import { Timers } from './timers.ts'

const SAVE_MS = 1000

/**
 * How far a raw reader of this tab has come, so that it goes on there after a reload. The view needs none of it: after a reload
 * it is empty, and begins with a snapshot.
 */
export class CursorStore {
  readonly #area: StorageArea | null
  readonly #key: string
  readonly #timers: Timers<'save'>
  #position: string | null = null

  constructor(area: StorageArea | null, namespace: string, session: string, clock: Clock) {
    this.#area = area
    this.#key = `${namespace}:cursor:${session}`
    this.#timers = new Timers(clock)
  }

  load(): string | null {
    return this.#position ?? stored(this.#area, this.#key)
  }

  /** Kept at once, written within a second. */
  save(position: string): void {
    this.#position = position
    if (!this.#timers.has('save')) this.#timers.start('save', SAVE_MS, () => this.flush())
  }

  /** Writes now: the page may be leaving. */
  flush(): void {
    this.#timers.clear()
    if (this.#position !== null) store(this.#area, this.#key, this.#position)
  }
}
