import { isOfNoun } from '../protocol/codec.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Position } from '../protocol/position.ts'
import { eventsAfter, type ReadPorts } from './read-events.ts'

export interface WaitOptions {
  readonly waitMs: number
  /** Ends the wait before its time. */
  readonly signal?: AbortSignal
}

/** What was found, and the position that it was found at, or an earlier one. */
export interface Look<T> {
  readonly value: T
  readonly position: Position
  /** Whether this is what was waited for. */
  readonly found: boolean
}

/**
 * Looks, and looks again after each event of the noun, until it is found or the time is over. Nothing is looked at meanwhile but what follows in the log.
 * @returns what the last look found
 */
export async function waitFor<T>(
  ports: ReadPorts,
  session: SessionId,
  noun: string,
  { waitMs, signal }: WaitOptions,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const end = ports.clock.now() + waitMs
  for (;;) {
    const { value, position, found } = await look()
    if (found || !(await next(ports, session, noun, position, end, signal))) return value
  }
}

/** @returns whether something of the noun has happened, before the time was over */
async function next(
  ports: ReadPorts,
  session: SessionId,
  noun: string,
  from: Position,
  end: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const limit = ports.limits.pageEvents
  for (let after = from; ;) {
    const waitMs = end - ports.clock.now()
    if (waitMs <= 0 || signal?.aborted === true) return false
    try {
      const options = { limit, waitMs, ...(signal !== undefined && { signal }) }
      const page = await eventsAfter(ports, session, after, options)
      if (page.events.some(({ text }) => isOfNoun(text, noun))) return true
      after = page.position
    } catch (error) {
      // What happened in between is not there any more: it may have been that.
      if (error instanceof HeldlineError && error.code === 'position_unrecoverable') return true
      throw error
    }
  }
}
