import type { Follow } from './http-transport.ts'
import { readOn } from './long-poll.ts'

/** A browser opens six connections to a server over HTTP/1.1: what people do needs some of them. */
const MAX_HELD = 4
const LOOK_MS = 3000

/**
 * Requests that are held open, no more than a browser has connections for. Who finds no place looks every few seconds, by requests that end at once, until there
 * is one: it follows all the same, a little later, and hears no signals meanwhile.
 */
export class Places {
  readonly #base: string
  #held = 0

  /** @param base where all requests go to */
  constructor(base: string) {
    this.#base = base
  }

  /** @param hold follows by what is held open, and ends as the whole does */
  followBy(hold: Follow): Follow {
    return async (following) => {
      const { signal, clock } = following
      let { position } = following
      let isOpen = false
      const opened = (): void => {
        if (!isOpen) following.opened()
        isOpen = true
      }
      let wake = (): void => {}
      signal.addEventListener('abort', () => wake())
      while (this.#held >= MAX_HELD && isBound(this.#base)) {
        if (position !== null) opened()
        position = await readOn({ ...following, opened }, position, 0)
        await new Promise<void>((resolve) => {
          const timer = clock.after(LOOK_MS, resolve)
          wake = () => {
            timer.cancel()
            resolve()
          }
          if (signal.aborted) wake()
        })
        if (signal.aborted) return
      }
      this.#held += 1
      await hold({ ...following, position, opened }).finally(() => (this.#held -= 1))
    }
  }
}

/** Only browsers are, and not over HTTP/2 or 3; which of them it is a page may know only of its own origin, or where the server says `Timing-Allow-Origin`. */
function isBound(base: string): boolean {
  if (globalThis.location === undefined) return false
  // Entries of this type have this class. Not everything that has a location tells of them.
  const requests = performance.getEntriesByType?.('resource') as
    | PerformanceResourceTiming[]
    | undefined
  return !requests?.some(
    ({ name, nextHopProtocol }) => name.startsWith(base) && /^h[23]/.test(nextHopProtocol),
  )
}
