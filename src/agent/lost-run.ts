import type { WireEvent } from '../protocol/event.ts'
import { AgentError } from './agent-error.ts'
import type { SessionApi } from './session-api.ts'

/** A run as it is listed, as far as it matters here. [P-10.9] */
export interface ListedRun {
  readonly id: string
  readonly epoch: number
  readonly agent: string | null
  readonly trigger: string | null
  readonly status: string
  readonly startedAt: number
}

/** More than begin in one millisecond. */
const SAME_MOMENT = 200

/**
 * Whether so many processes have taken the run over that one more is not to: it may be what ends them, by the memory that it takes say.
 * @returns how often it was taken over, where that is enough; else `null`
 */
export async function enough(
  api: SessionApi,
  run: ListedRun,
  maxAdoptions: number,
  signal: AbortSignal,
): Promise<number | null> {
  // Each adoption raises the epoch by one, from 1 on at least: usually there is nothing to ask for. [P-10.2]
  if (run.epoch <= maxAdoptions) return null
  const adoptions = run.epoch - (await firstEpoch(api, run, signal))
  return adoptions >= maxAdoptions ? adoptions : null
}

/**
 * What the run began with, which is higher than 1 in a session that has forgotten runs. [P-10.1] Where the log does not say so any more, or not to us, it
 * counts as 1: a run too few is taken over there, rather than one for ever.
 */
async function firstEpoch(api: SessionApi, run: ListedRun, signal: AbortSignal): Promise<number> {
  const query = { from: run.startedAt, limit: SAME_MOMENT }
  try {
    const page = await api.json({ path: '/events', query, expects: 'events', signal })
    // The shape is the contract's. [P-9.4]
    const events = page['events'] as readonly WireEvent[]
    const start = events.find(({ type, data }) => type === 'run.started' && isOf(data, run.id))
    return start === undefined ? 1 : (start.data as { epoch: number }).epoch
  } catch (error) {
    if (error instanceof AgentError && !error.retryable) return 1
    throw error
  }
}

function isOf(data: unknown, run: string): boolean {
  return (data as { readonly run?: unknown }).run === run
}

/** What people read of such a run. */
export function givenUp(run: string, adoptions: number): AgentError {
  const times = adoptions === 1 ? 'once' : `${adoptions} times`
  return new AgentError(
    'given_up',
    `given up; the run was taken over ${times}, and each process that worked at it was lost: it may be what ends them`,
    { facts: { run, adoptions } },
  )
}
