import { isOver, type Run } from '../protocol/fold/fold-run.ts'
import type { LiveStatus } from '../protocol/run-events.ts'

/** `idle`: nothing runs. `lost`: what ran last is not heard of any more, and nobody has taken it over. The others: what the server sees of the run that lives. */
export type AgentState = 'idle' | LiveStatus | 'lost'

export interface AgentHealth {
  readonly state: AgentState
  /** Milliseconds since 1970 by the server's clock: when it became so, as far as this page has seen; `null`: nothing has ever run. */
  readonly since: number | null
  /** The run that is told of; `null`: none. */
  readonly run: string | null
}

/** What is needed of a run to know how its agent is. */
export type Heard = Pick<Run, 'id' | 'status' | 'updatedAt'>

export const IDLE: AgentHealth = { state: 'idle', since: null, run: null }

/**
 * How the agent is, by the run that lives; of several, the one that was started last.
 * @param before what was told before, which knows since when
 */
export function agentHealth(runs: readonly Heard[], before: AgentHealth): AgentHealth {
  const run = runs.findLast(({ status }) => !isOver(status)) ?? runs.at(-1)
  if (run === undefined) return IDLE
  const { id, status, updatedAt } = run
  const state = status === 'lost' || !isOver(status) ? status : 'idle'
  const same = before.run === id && before.state === state
  return { state, since: same ? before.since : updatedAt, run: id }
}
