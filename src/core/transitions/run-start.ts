import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { LiveStatus, RunStatus } from '../../protocol/run-events.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import type { NewEvent } from '../store.ts'
import { guardOf, joinParts, listText, parseList } from './commit-parts.ts'
import { remember } from './remembered.ts'
import { unknownEffects } from './run-effects.ts'
import {
  leaseFrom,
  parseRunInfo,
  parseRunText,
  runNotFound,
  runOver,
  runText,
  RUNS,
  type RunInfo,
} from './run-record.ts'
import { eventOf } from './session.ts'

export interface StartRequest {
  readonly session: SessionId
  readonly run: string
  readonly info: RunInfo
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly by: By
  readonly maxLive: number
  /** What a start in this session wrote last of those that came last, as far as this node knows. */
  readonly latest?: string | null
}

export interface StartedRun {
  readonly run: string
  /** `null`: the run is in other hands. */
  readonly epoch: number | null
  readonly status: RunStatus
  /** Whether this very request did it. */
  readonly created: boolean
  readonly leaseMs: number
}

export interface Started {
  readonly started: StartedRun
  /** For the guess of the next start; `null`: nothing was written. */
  readonly latest: string | null
}

/** Not a run's id: those begin with a letter or digit. */
export const CANCELLED_TRIGGER = '!cancelled'

/**
 * Starts a run, or finds the one that its trigger has. [P-10.1]
 * @throws HeldlineError `run_exists`, `session_closed`, `run_over` for a trigger that was cancelled before, `session_limit`
 */
export function startRun(request: StartRequest, random: Random): Transition<Started> {
  const { session, run, info, latest } = request
  const { trigger, leaseMs } = info
  return {
    session,
    decide: (known) => {
      const earlier = trigger === null ? null : (known.fields.get(FIELD.trigger(trigger)) ?? null)
      if (earlier === CANCELLED_TRIGGER) throw runOver('cancelled')
      const there = earlier ?? ((known.fields.get(FIELD.run(run)) ?? null) === null ? null : run)
      if (there !== null) return existing(known, there, info)
      refuseClosed(known.fields.get(FIELD.closed) ?? null)
      const live = parseList(known.fields.get(FIELD.live) ?? null)
      if (live.length >= request.maxLive) throw tooMany(request.maxLive)
      const kept = remember(known, RUNS, [run], latest)
      if ('read' in kept) return kept
      const { epoch, head } = kept
      const status = 'thinking'
      const guards = [
        { field: FIELD.closed, equals: null },
        { field: FIELD.run(run), equals: null },
        guardOf(known, FIELD.live),
        ...(trigger === null ? [] : [{ field: FIELD.trigger(trigger), equals: null }]),
      ]
      const writes = [
        { field: FIELD.run(run), value: runText({ epoch, status, said: false }) },
        { field: FIELD.runInfo(run), value: JSON.stringify(info) },
        { field: FIELD.live, value: listText([...live, run]) },
        ...(trigger === null ? [] : [{ field: FIELD.trigger(trigger), value: run }]),
      ]
      const events = [startedEvent(request, epoch, random)]
      const deadlines = [leaseFrom(run, status, leaseMs)]
      const started: StartedRun = { run, epoch, status, created: true, leaseMs }
      return {
        commit: joinParts({ guards, events, writes, deadlines }, kept),
        answer: () => ({ started, latest: head }),
      }
    },
  }
}

function startedEvent(
  { run, info: { agent, trigger }, metadata, by }: StartRequest,
  epoch: number,
  random: Random,
): NewEvent {
  const data = {
    run,
    epoch,
    ...(agent !== null && { agent }),
    ...(trigger !== null && { trigger }),
    ...(metadata !== undefined && { metadata }),
  }
  return eventOf('run.started', data, { ...by, run }, random)
}

/** The run that is there in the place of one that was asked for. Its epoch is for the process that holds it. */
function existing(known: Known, run: string, { trigger, producer }: RunInfo): Decision<Started> {
  const text = known.fields.get(FIELD.run(run))
  const infoText = known.fields.get(FIELD.runInfo(run))
  if (text === undefined || infoText === undefined) {
    return { read: [FIELD.run(run), FIELD.runInfo(run)] }
  }
  const info = parseRunInfo(infoText)
  if (info.trigger !== trigger) {
    throw new HeldlineError('run_exists', 'unable to start; the run exists already', {
      facts: { run },
    })
  }
  const { epoch, status } = parseRunText(text ?? '')
  const holds = producer !== null && producer === info.producer
  const { leaseMs } = info
  const started = { run, epoch: holds ? epoch : null, status, created: false, leaseMs }
  return { done: { started, latest: null } }
}

export interface AdoptRequest {
  readonly session: SessionId
  readonly run: string
  readonly producer: string | null
  readonly by: By
  readonly maxLive: number
}

export interface Adopted {
  readonly epoch: number
  readonly status: LiveStatus
  readonly leaseMs: number
}

/**
 * A new process takes the run over, with a higher epoch. While a question of it is open, it goes on waiting. [P-10.2]
 * @throws HeldlineError `run_not_found`, `run_over`, `session_closed`, `session_limit`
 */
export function adoptRun(
  { session, run, producer, by, maxLive }: AdoptRequest,
  random: Random,
): Transition<Adopted> {
  const fields = [
    FIELD.run(run),
    FIELD.runInfo(run),
    FIELD.live,
    FIELD.runEffects(run),
    FIELD.runQuestions(run),
  ]
  return {
    session,
    reads: [...fields, FIELD.closed],
    decide: (known) => {
      const text = known.fields.get(FIELD.run(run)) ?? null
      if (text === null) throw runNotFound()
      const before = parseRunText(text)
      if (isOver(before.status) && before.status !== 'lost') throw runOver(before.status)
      refuseClosed(known.fields.get(FIELD.closed) ?? null)
      const info = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
      const { leaseMs } = info
      if (!isOver(before.status) && producer !== null && producer === info.producer) {
        return { done: { epoch: before.epoch, status: before.status, leaseMs } }
      }
      const live = parseList(known.fields.get(FIELD.live) ?? null)
      const others = live.filter((id) => id !== run)
      if (others.length >= maxLive) throw tooMany(maxLive)
      const epoch = before.epoch + 1
      const asks = (known.fields.get(FIELD.runQuestions(run)) ?? null) !== null
      const status = asks ? 'waiting' : 'thinking'
      const told = (type: string, data: object) => eventOf(type, data, { ...by, run }, random)
      const commit = joinParts(
        {
          guards: [...fields, FIELD.closed].map((field) => guardOf(known, field)),
          writes: [
            { field: FIELD.run(run), value: runText({ epoch, status, said: false }) },
            { field: FIELD.runInfo(run), value: JSON.stringify({ ...info, producer }) },
            { field: FIELD.live, value: listText([...others, run]) },
          ],
          deadlines: [leaseFrom(run, status, leaseMs)],
        },
        unknownEffects(known, run, random),
        {
          events: [
            told('run.resumed', { run, epoch, reason: 'adopted' }),
            ...(asks ? [told('run.status', { run, status })] : []),
          ],
        },
      )
      return { commit, answer: () => ({ epoch, status, leaseMs }) }
    },
  }
}

function refuseClosed(closed: string | null): void {
  if (closed === null) return
  throw new HeldlineError('session_closed', 'unable to start; the session is closed')
}

function tooMany(maxLive: number): HeldlineError {
  return new HeldlineError(
    'session_limit',
    `unable to go on; ${maxLive} runs of the session live already`,
    {
      facts: { maxLive },
    },
  )
}
