import type { Clock, Timer } from '../sdk/clock.ts'
import type { Page } from './page.ts'

const WITHOUT_FRAMES_MS = 16
/** A page that is hidden after it asked gets no frame. */
const LATEST_MS = 250

/** Tells once, however often it was asked to: before the next paint, where there is one. */
export class Notifier {
  readonly #clock: Clock
  readonly #page: Page
  readonly #run: () => void
  #timer: Timer | null = null
  #cancelFrame: (() => void) | null = null

  constructor(clock: Clock, page: Page, run: () => void) {
    this.#clock = clock
    this.#page = page
    this.#run = run
  }

  ask(): void {
    if (this.#timer !== null) return
    const tell = (): void => {
      this.cancel()
      this.#run()
    }
    this.#cancelFrame = this.#page.frame(tell)
    const wait = this.#cancelFrame === null ? WITHOUT_FRAMES_MS : LATEST_MS
    this.#timer = this.#clock.after(wait, tell)
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#cancelFrame?.()
    this.#cancelFrame = null
  }
}
