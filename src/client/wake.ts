import type { Clock } from '../sdk/clock.ts'
import type { Page, PageEvent } from './page.ts'

export interface WakeEvents {
  /**
   * There is reason to look at the connection now.
   * @param stale the page was hidden for 30 s or more: what lies in the socket is not worth asking
   * @param newNetwork the network has changed, perhaps
   */
  wake(stale: boolean, newNetwork: boolean): void
  /** The browser believes that there is no network. */
  offline(): void
}

const STALE_MS = 30_000
const ABSENT_MS = 5 * 60_000

/** Whether somebody is there, and the moments at which it pays to look again. */
export class Wake {
  readonly #clock: Clock
  readonly #events: WakeEvents
  readonly #leave: () => void
  #hiddenSince: number | null

  constructor(clock: Clock, page: Page, events: WakeEvents) {
    this.#clock = clock
    this.#events = events
    this.#hiddenSince = page.visible() ? null : clock.now()
    this.#leave = page.on((event) => this.#take(event))
  }

  /** Hidden for more than 5 minutes: nothing is tried until somebody looks. */
  get absent(): boolean {
    return this.#hiddenMs > ABSENT_MS
  }

  close(): void {
    this.#leave()
  }

  get #hiddenMs(): number {
    return this.#hiddenSince === null ? 0 : this.#clock.now() - this.#hiddenSince
  }

  #take(event: PageEvent): void {
    const stale = this.#hiddenMs >= STALE_MS
    if (event === 'visible') this.#hiddenSince = null
    if (event === 'hidden') this.#hiddenSince ??= this.#clock.now()
    else if (event === 'offline') this.#events.offline()
    else if (event !== 'leaving') this.#events.wake(stale, event === 'online')
  }
}
