import type { Decision, Known, Transition } from '../commit.ts'
import type { Draft } from '../new-event.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import type { LiveStatus } from '../../protocol/run-events.ts'
import { append, type Appended, type AppendRequest } from './append.ts'
import { joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { claimRun, leaseFrom, runText, type RunClaim } from './run-record.ts'
import { eventOf } from './session.ts'

export interface RunAppendRequest extends AppendRequest {
  readonly claim: RunClaim
  /** Given where the lease is to be put off with this append; `null`: it was lately. */
  readonly leaseMs: number | null
}

/**
 * Appends in the name of a run: by the epoch that holds it, while it lives. What the append shows of the agent (it streams, it thinks again) is
 * told after it, in the same commit. In the steady state nothing is read first: the guard proves the guess. [P-10.3] [P-10.4]
 * @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`, what `append` throws
 */
export function runAppend(request: RunAppendRequest, random: Random): Transition<Appended> {
  const { claim, drafts } = request
  const by = { ...request.by, run: claim.run }
  const inner = append({ ...request, by }, random)
  const shape = shapeOf(drafts)
  const tell = (status: LiveStatus) => eventOf('run.status', { run: claim.run, status }, by, random)
  return {
    session: request.session,
    decide: (known): Decision<Appended> => {
      const decision = inner.decide(known)
      if (!('commit' in decision)) return decision
      const { field, status, guard } = claimRun(known, claim, shape.guess)
      const next = nextStatus(status, shape, field.said)
      const changed = next !== status
      const value = runText({ epoch: field.epoch, status: next, said: false })
      const extra: Partial<CommitParts> = {
        guards: [guard],
        events: changed ? [tell(next)] : [],
        writes: changed ? [{ field: guard.field, value }] : [],
        deadlines: request.leaseMs === null ? [] : [leaseFrom(claim.run, next, request.leaseMs)],
      }
      const commit = joinParts(decision.commit, openMessages(known, claim.run, shape), extra)
      return { commit: { ...decision.commit, ...commit }, answer: decision.answer }
    },
  }
}

interface Shape {
  /** Messages that this append leaves open, and those of others that it completes. */
  readonly opens: readonly string[]
  readonly closes: readonly string[]
  /** It adds text to an open message. */
  readonly streams: boolean
  /** What the run most likely is. */
  readonly guess: LiveStatus
}

function shapeOf(drafts: readonly Draft[]): Shape {
  const opens = new Set<string>()
  const closes = new Set<string>()
  let streams = false
  for (const { message } of drafts) {
    if (message?.verb === 'start') opens.add(message.id)
    if (message?.verb === 'extend') streams = true
    const ends = message?.verb === 'complete' && !opens.delete(message.id)
    if (ends && message.role === null) closes.add(message.id)
  }
  const steady = opens.size === 0 && (streams || closes.size > 0)
  return {
    opens: [...opens],
    closes: [...closes],
    streams,
    guess: steady ? 'streaming' : 'thinking',
  }
}

function nextStatus(status: LiveStatus, { streams, closes }: Shape, said: boolean): LiveStatus {
  if (status === 'waiting') return status
  if (closes.length > 0) return 'thinking'
  if (streams) return 'streaming'
  return status === 'stalled' && !said ? 'thinking' : status
}

/** The messages that the run has open, kept so that its end can complete them in the same commit. */
function openMessages(known: Known, run: string, { opens, closes }: Shape): Partial<CommitParts> {
  if (opens.length === 0 && closes.length === 0) return {}
  const field = FIELD.runOpen(run)
  const value = known.fields.get(field)
  const before = value === undefined ? listText(closes) : value
  const after = parseList(before).filter((id) => !closes.includes(id))
  return {
    guards: [{ field, equals: before }],
    writes: [{ field, value: listText([...after, ...opens]) }],
  }
}
