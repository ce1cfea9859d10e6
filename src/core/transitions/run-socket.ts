import type { By } from '../../protocol/event.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf } from './commit-parts.ts'
import {
  leaseAfterSocket,
  parseRunInfo,
  parseRunText,
  runText,
  type RunClaim,
} from './run-record.ts'
import { eventOf } from './session.ts'

/** A socket that stood for the agent of a run. */
export interface LostSocket {
  readonly session: SessionId
  readonly claim: RunClaim
  /** The connection. */
  readonly socket: string
}

/**
 * The socket that beat for a run is gone: most likely its agent is, too. People are told at once that it is stalled, and it is lost when no sign of
 * life comes within a moment. Nothing happens where a newer socket stands for the agent, where another epoch holds the run, or where it waits.
 * [P-10.12]
 */
export function socketLost(
  { session, claim, socket }: LostSocket,
  nowMs: number,
  random: Random,
): Transition<'stalled' | 'nothing'> {
  const { run, epoch } = claim
  const deadline = DEADLINE.run(run)
  const names = { run: FIELD.run(run), socket: FIELD.runSocket(run), info: FIELD.runInfo(run) }
  const by: By = { subject: 'server', run }
  return {
    session,
    reads: Object.values(names),
    decide: (known) => {
      const text = known.fields.get(names.run) ?? null
      const field = text === null ? null : parseRunText(text)
      const speaks = known.fields.get(names.socket) === socket
      if (!speaks || field?.epoch !== epoch) return { done: 'nothing' }
      if (isOver(field.status) || field.status === 'waiting') return { done: 'nothing' }
      const { leaseMs } = parseRunInfo(known.fields.get(names.info) ?? null)
      const told = field.status === 'stalled'
      // What is left of a run that is stalled already only its deadline tells; before that, more is left than is given. The deadline is by the clock of the
      // store: where nothing is left by ours, ours is ahead of it, or the end is about to come anyhow.
      const at = known.deadlines.get(deadline) ?? null
      const leftMs = told && at !== null && at > nowMs ? at - nowMs : Infinity
      return {
        commit: {
          guards: [
            guardOf(known, names.run),
            guardOf(known, names.socket),
            ...(told ? [{ deadline, at }] : []),
          ],
          events: told ? [] : [eventOf('run.status', { run, status: 'stalled' }, by, random)],
          writes: [
            // Also where the agent said it itself: from now on any sign of life shows the contrary.
            { field: names.run, value: runText({ epoch, status: 'stalled', said: false }) },
            { field: names.socket, value: null },
          ],
          deadlines: [leaseAfterSocket(run, leaseMs, leftMs)],
        },
        answer: () => 'stalled',
      }
    },
  }
}
