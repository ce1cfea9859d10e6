import type { Clock, Timer } from '../sdk/clock.ts'

/**
 * `idle`: nothing is wanted. `connecting`: not yet there. `live`. `recovering`: was there, and comes back by itself.
 * `offline`: likewise, and the browser knows of no network. `unauthorized`: the credentials were refused twice; see
 * `connect()`. `closed`: by `close()`, or by the server in a way that trying again does not mend.
 */
export type LinkState =
  | 'idle'
  | 'connecting'
  | 'live'
  | 'recovering'
  | 'offline'
  | 'unauthorized'
  | 'closed'

const HIDE_MS = 2000

/** The state that people are shown: a recovery that takes less than 2 s is nobody's concern. */
export class ShownState {
  readonly #clock: Clock
  readonly #changed: (state: LinkState) => void
  #shown: LinkState = 'idle'
  #real: LinkState = 'idle'
  #timer: Timer | null = null

  constructor(clock: Clock, changed: (state: LinkState) => void) {
    this.#clock = clock
    this.#changed = changed
  }

  get shown(): LinkState {
    return this.#shown
  }

  set(state: LinkState): void {
    this.#real = state
    if (state === 'recovering' && this.#shown === 'live') {
      this.#timer ??= this.#clock.after(HIDE_MS, () => this.#show(this.#real))
      return
    }
    this.#show(state)
  }

  #show(state: LinkState): void {
    this.#timer?.cancel()
    this.#timer = null
    if (state === this.#shown) return
    this.#shown = state
    this.#changed(state)
  }
}
