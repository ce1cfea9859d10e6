import { AgentError } from './agent-error.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Outage } from './outage.ts'
import { sleep } from './sleep.ts'

const BASE_MS = 100
const CAP_MS = 5000
/** No request takes longer. */
const LONGEST_ATTEMPT_MS = 40_000

export interface Patience {
  readonly clock: Clock
  readonly random: () => number
  /** From the first failure on, so long is tried again. */
  readonly retryForMs: number
  /** Hears how it goes. */
  readonly outage?: Outage | undefined
}

/** Full jitter: 0–100 ms, 0–200 ms … 0–5 s. @param attempt how many attempts have failed, from 0 */
export function backoffMs(attempt: number, random: () => number, capMs = CAP_MS): number {
  return Math.floor(random() * Math.min(capMs, BASE_MS * 2 ** Math.min(attempt, 10)))
}

/**
 * Sends the same again, with the same ids, until what became of it is known: an outcome that is unknown, and a refusal that may be over
 * soon, are tried again. [P-2.7]
 * @throws AgentError a refusal for good; the last failure when the time is over
 * @throws the reason of the signal
 */
export async function insist<T>(
  { clock, random, retryForMs, outage }: Patience,
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let spentMs = 0
  let before: { readonly at: number; readonly waitMs: number } | null = null
  let told = false
  for (let failed = 0; ; failed++) {
    signal?.throwIfAborted()
    try {
      const answer = await attempt()
      outage?.over()
      return answer
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof AgentError) || !error.retryable) throw error
      const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(failed, random))
      // Not from the beginning: a process that was frozen meanwhile would give up at the first failure.
      const at = clock.now()
      if (before !== null) spentMs += between(before, at)
      if (spentMs + waitMs > retryForMs) throw error
      if (!told && outage !== undefined) told = outage.lasts(error, spentMs)
      before = { at, waitMs }
      await sleep(clock, waitMs, signal)
    }
  }
}

/** From one failure to the next, as it can have been: whatever more the clock says, it was set, or the process stood still. */
function between(before: { readonly at: number; readonly waitMs: number }, at: number): number {
  return Math.min(Math.max(0, at - before.at), before.waitMs + LONGEST_ATTEMPT_MS)
}
