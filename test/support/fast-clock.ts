import type { Clock } from '../../src/sdk/clock.ts'

/** Time that passes ten times as fast, for clients that are to wait as they do in real life. */
export const FAST: Clock = {
  now: () => Date.now() * 10,
  after: (ms, run) => {
    const timer = setTimeout(run, ms / 10)
    return { cancel: () => clearTimeout(timer) }
  },
}
