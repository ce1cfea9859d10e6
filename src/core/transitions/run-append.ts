import { HeldlineError } from '../../protocol/errors.ts'
import type { LiveStatus } from '../../protocol/run-events.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Draft } from '../new-event.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import { append, type Appended, type AppendRequest } from './append.ts'
import { joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { claimRun, leaseFrom, runText, type RunClaim, type RunField } from './run-record.ts'
import { eventOf } from './session.ts'

export interface RunAppendRequest extends AppendRequest {
  readonly claim: RunClaim
  readonly leaseMs: number
  /** Whether the lease is put off with this append, even where nothing else of the run changes. */
  readonly putOff: boolean
  /** What the run was when it was last seen. */
  readonly guess?: RunField
}

export interface RunAppended {
  readonly appended: Appended
  /** What the run is now; `null`: everything was there already, and it was not looked at. */
  readonly field: RunField | null
}

/** The end of a run completes all of them in one commit. */
const MAX_OPEN = 50

/**
 * Appends in the name of a run: by the epoch that holds it, while it lives. What the append shows of the agent (it streams, it thinks again) is
 * told after it, in the same commit. In the steady state nothing is read first: the guard proves the guess. [P-10.3] [P-10.4]
 * @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`, `session_limit`, what `append` throws
 */
export function runAppend(request: RunAppendRequest, random: Random): Transition<RunAppended> {
  const { claim, drafts, leaseMs } = request
  const by = { ...request.by, run: claim.run }
  const inner = append({ ...request, by }, random)
  const shows = shownBy(drafts)
  const guess = request.guess ?? guessOf(claim, drafts, shows)
  const tell = (status: LiveStatus) => eventOf('run.status', { run: claim.run, status }, by, random)
  return {
    session: request.session,
    decide: (known): Decision<RunAppended> => {
      const answered = inner.answered(known)
      if (answered !== null) return { done: { appended: answered, field: null } }
      // Before the messages are looked at: whoever lost the run, or its messages with it, must hear of the run.
      const { field, status, guard } = claimRun(known, claim, guess)
      const decision = inner.decide(known)
      if ('done' in decision) return { done: { appended: decision.done, field: null } }
      const next = nextStatus(field, status, shows)
      const changed = next !== status
      const after = changed ? { epoch: field.epoch, status: next, said: false } : field
      const commit = joinParts(decision.commit, openMessages(known, claim.run, drafts), {
        guards: [guard],
        events: changed ? [tell(next)] : [],
        writes: changed ? [{ field: guard.field, value: runText(after) }] : [],
        deadlines: changed || request.putOff ? [leaseFrom(claim.run, next, leaseMs)] : [],
      })
      return {
        commit: { ...decision.commit, ...commit },
        answer: (done) => ({ appended: decision.answer(done), field: after }),
      }
    },
  }
}

/** What events show of their agent, the last of them that shows something: it adds to a message, or has completed one. */
type Shows = 'streaming' | 'thinking' | null

function shownBy(drafts: readonly Draft[]): Shows {
  let shows: Shows = null
  for (const { message } of drafts) {
    if (message?.verb === 'extend') shows = 'streaming'
    // With a role it is most likely a whole message of its own, and says nothing of the one that is being written.
    if (message?.verb === 'complete' && message.role === null) shows = 'thinking'
  }
  return shows
}

/** An agent that begins a message thinks; one that goes on with it streams. */
function guessOf({ epoch }: RunClaim, drafts: readonly Draft[], shows: Shows): RunField {
  const begins = shows === null || drafts.some(({ message }) => message?.verb === 'start')
  return { epoch, status: begins ? 'thinking' : 'streaming', said: false }
}

function nextStatus(field: RunField, status: LiveStatus, shows: Shows): LiveStatus {
  if (status === 'waiting') return status
  if (shows !== null) return shows
  return status === 'stalled' && !field.said ? 'thinking' : status
}

/** The messages that the run has open, kept so that its end can complete them in the same commit. */
function openMessages(known: Known, run: string, drafts: readonly Draft[]): Partial<CommitParts> {
  // Most of what a run says goes on with a message that it has open.
  if (drafts.every(({ message }) => message === null || message.verb === 'extend')) return {}
  const { opens, closes } = openedBy(known, drafts)
  if (opens.length === 0 && closes.length === 0) return {}
  const field = FIELD.runOpen(run)
  const value = known.fields.get(field)
  const before = value === undefined ? listText(closes) : value
  const after = [...parseList(before).filter((id) => !closes.includes(id)), ...opens]
  if (after.length > MAX_OPEN) {
    throw new HeldlineError(
      'session_limit',
      `unable to start a message; the run has ${MAX_OPEN} open`,
      { facts: { maxOpen: MAX_OPEN } },
    )
  }
  return { guards: [{ field, equals: before }], writes: [{ field, value: listText(after) }] }
}

/** The messages that events leave open, and those open before that they end. */
function openedBy(
  known: Known,
  drafts: readonly Draft[],
): { readonly opens: readonly string[]; readonly closes: readonly string[] } {
  const opens = new Set<string>()
  const closes = new Set<string>()
  for (const { message } of drafts) {
    if (message === null) continue
    const { id, verb, role } = message
    if (verb === 'start') opens.add(id)
    else if (verb === 'complete' || verb === 'delete') {
      const whole = role !== null && known.fields.get(FIELD.message(id)) !== 'open'
      if (!opens.delete(id) && !whole) closes.add(id)
    }
  }
  return { opens: [...opens], closes: [...closes] }
}
