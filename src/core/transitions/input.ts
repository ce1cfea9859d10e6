import { HeldlineError } from '../../protocol/errors.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { Epoch } from '../../protocol/ids.ts'
import { bytesOf } from '../bytes.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { Committed, KnownId } from '../store.ts'
import { guardOf, joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { parseInput, type InputRecord } from './input-record.ts'
import { INPUTS } from './input-remembered.ts'
import { dedupeId, printOf, receivedEvent, type Aim, type ReceiveRequest } from './input-words.ts'
import { refuseBytes, refuseWhere, unseenOthers } from './input-room.ts'
import { inputNotice } from './notice-record.ts'
import { MessageStates } from './message-states.ts'
import { remember } from './remembered.ts'
import { endReads } from './run-end.ts'
import { parseRunText, runNotFound } from './run-record.ts'
import { CANCELLED_TRIGGER } from './run-start.ts'
import { stopRuns } from './stop-runs.ts'

export interface Received {
  /** `too_late`: what it was to interrupt is over, and nothing of it was kept. */
  readonly outcome: 'queued' | 'delivered' | 'too_late'
  /** Whether this very request did it. */
  readonly created: boolean
  /** `null` where it was not looked at. */
  readonly epoch: Epoch | null
  /** Of the message, where there is one, and of the input; `null`: too old to know. */
  readonly serials: readonly (number | null)[]
}

/**
 * Takes what a person sends to an agent: with what people read of it, and, for an interrupt, with the end of what it interrupts, in one commit. [P-11.1] [P-11.2]
 * @throws HeldlineError `session_closed`, `session_limit`, `run_not_found`, `message_exists`, `idempotency_conflict`
 */
export function receiveInput(request: ReceiveRequest, random: Random): Transition<Received> {
  const { session, input, run } = request
  const field = FIELD.input(input)
  const print = printOf(request)
  const reads = [
    field,
    FIELD.closed,
    FIELD.inputs,
    FIELD.live,
    FIELD.trigger(input),
    FIELD.recent(INPUTS.name),
  ]
  return {
    session,
    reads: run === null ? reads : [...reads, FIELD.run(run)],
    decide: (known) => {
      const before = parseInput(known.fields.get(field) ?? null)
      if (before !== null) return again(request, before, print, known, random)
      const earlier = known.duplicates.get(dedupeId(input))
      if (earlier !== undefined) return { done: asRemembered(request, earlier, print, known) }
      refuseWhere(request, known)
      const others = request.rawData === null ? [] : unseenOthers(known)
      if (others.length > 0) return { read: others }
      refuseBytes(request, known)
      const aim = aimOf(request, known)
      if (aim === null || known.fields.get(FIELD.trigger(input)) === CANCELLED_TRIGGER) {
        return { done: { outcome: 'too_late', created: false, epoch: null, serials: [] } }
      }
      const missing = aim.stops.flatMap(endReads).filter((name) => !known.fields.has(name))
      if (missing.length > 0) return { read: [...new Set(missing)] }
      return receive(request, aim, print, known, random)
    },
  }
}

/** @returns `null`: what it was to interrupt is over @throws HeldlineError `run_not_found` */
function aimOf({ mode, run }: ReceiveRequest, known: Known): Aim | null {
  if (run === null) {
    const live = parseList(known.fields.get(FIELD.live) ?? null)
    if (mode === 'interrupt') return { mode, run, stops: live }
    return { mode: live.length > 0 ? mode : 'queue', run, stops: [] }
  }
  const text = known.fields.get(FIELD.run(run)) ?? null
  if (text === null) throw runNotFound()
  const { status } = parseRunText(text)
  if (mode === 'interrupt') {
    // A lost run can be adopted: an interrupt is what says that it shall not be.
    return isOver(status) && status !== 'lost' ? null : { mode, run, stops: [run] }
  }
  return isOver(status) ? { mode: 'queue', run: null, stops: [] } : { mode, run, stops: [] }
}

function receive(
  request: ReceiveRequest,
  aim: Aim,
  print: string,
  known: Known,
  random: Random,
): Decision<Received> {
  const { input, run, by, expiresInMs, noticeAfterMs, rawParts } = request
  const outcome = aim.stops.length > 0 ? 'delivered' : 'queued'
  const bytes = bytesOf(request.rawData ?? '')
  const record: InputRecord = {
    print,
    outcome,
    status: 'waiting',
    bytes,
    ...(rawParts === null && request.parent !== undefined && { parent: request.parent }),
  }
  const waiting = parseList(known.fields.get(FIELD.inputs) ?? null)
  const own: Partial<CommitParts> = {
    guards: [
      { field: FIELD.closed, equals: null },
      { field: FIELD.input(input), equals: null },
      guardOf(known, FIELD.inputs),
      guardOf(known, FIELD.trigger(input)),
      guardOf(known, run === null ? FIELD.live : FIELD.run(run)),
    ],
    events: [receivedEvent(request, aim, outcome, print, random)],
    writes: [
      { field: FIELD.input(input), value: JSON.stringify(record) },
      { field: FIELD.inputs, value: listText([...waiting, input]) },
    ],
    deadlines: [
      ...(expiresInMs === null ? [] : [{ deadline: DEADLINE.input(input), inMs: expiresInMs }]),
      ...(noticeAfterMs === null
        ? []
        : [{ deadline: DEADLINE.notice(inputNotice(input)), inMs: noticeAfterMs }]),
    ],
  }
  const kept = remember(known, INPUTS, [input])
  if ('read' in kept) return kept
  return {
    commit: joinParts(
      stopRuns(known, aim.stops, { status: 'cancelled', input }, by, random),
      said(request, known, random),
      own,
      kept,
    ),
    answer: ({ epoch, last }: Committed) => ({
      outcome,
      created: true,
      epoch,
      serials: serialsOf(last, rawParts),
    }),
  }
}

/** The message that says it to people. Its parent is the message that was started last, unless it names another. */
function said(
  { input, by, rawParts, parent }: ReceiveRequest,
  known: Known,
  random: Random,
): Partial<CommitParts> {
  if (rawParts === null) return {}
  const states = new MessageStates(known.fields)
  states.change({ id: input, verb: 'say', role: 'user' })
  const data = withRaw({ message: input, role: 'user', parent }, { parts: rawParts })
  return { ...states.outcome(), events: [rawEventOf('message.completed', data, by, random)] }
}

/**
 * The same input once more: answered as the first time. The store remembers the serial for a while; it is asked once, by what can only be a
 * duplicate or a conflict.
 */
function again(
  request: ReceiveRequest,
  before: InputRecord,
  print: string,
  known: Known,
  random: Random,
): Decision<Received> {
  const { input, mode, run, rawParts } = request
  demandSame(before.print, print)
  const earlier = known.duplicates.get(dedupeId(input))
  const deadline = DEADLINE.input(input)
  if (earlier === undefined && !known.deadlines.has(deadline)) {
    const aim = { mode, run, stops: [] }
    const events = [receivedEvent(request, aim, before.outcome, print, random)]
    const guards = [{ deadline, at: -1 }]
    return { commit: { events, guards }, answer: neverCommitted }
  }
  const serials = serialsOf(earlier?.serial ?? null, rawParts)
  return { done: { outcome: before.outcome, created: false, epoch: known.epoch, serials } }
}

/** One that came by another way while this one was looking, or that the record has forgotten sooner than the store. */
function asRemembered(
  { rawParts }: ReceiveRequest,
  { fingerprint: words, serial }: KnownId,
  print: string,
  { epoch }: Known,
): Received {
  const [outcome, before = ''] = words.split(' ')
  demandSame(before, print)
  const serials = serialsOf(serial, rawParts)
  return { outcome: outcome === 'delivered' ? outcome : 'queued', created: false, epoch, serials }
}

/** @throws HeldlineError `idempotency_conflict` */
function demandSame(before: string, print: string): void {
  if (before === print) return
  throw new HeldlineError(
    'idempotency_conflict',
    'unable to take the input; this id was used before with other content',
  )
}

function neverCommitted(): never {
  throw new Error('a deadline was set before 1970')
}

/** The message comes right before its input. */
function serialsOf(last: number | null, rawParts: string | null): readonly (number | null)[] {
  if (rawParts === null) return [last]
  return [last === null ? null : last - 1, last]
}
