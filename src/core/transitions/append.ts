import { bodiesBy } from '../../protocol/codec.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { Epoch, ProducerId, SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Draft } from '../new-event.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import type { Committed, Dedupe, FieldWrite, Guard, NewEvent } from '../store.ts'
import { heard, parseController } from './controller.ts'
import { MessageStates } from './message-states.ts'

export interface AppendRequest {
  readonly session: SessionId
  readonly drafts: readonly Draft[]
  readonly by: By
  /** Names the request as a whole: every event of it is recognised in a retry. */
  readonly idempotencyKey?: string
  readonly producer?: { readonly id: ProducerId; readonly epoch: number; readonly seq: number }
}

export interface Appended {
  readonly epoch: Epoch
  /** One an event, in order; `null`: a duplicate too old to know its serial. */
  readonly serials: readonly (number | null)[]
  readonly duplicates: number
  /** What the commit said; `null` when everything was there already. */
  readonly committed: Committed | null
}

export interface AppendTransition extends Transition<Appended> {
  /** What a retry is answered of which nothing is new, even where nothing may be appended any more; else `null`. */
  answered(known: Known): Appended | null
  decide(known: Known): Exclude<Decision<Appended>, { readonly read: unknown }>
}

/**
 * Appends events, once. What a retry brings again is answered from what is remembered, and only the rest is new. [P-2.5] [P-2.6]
 */
export function append(request: AppendRequest, random: Random): AppendTransition {
  const entries = prepare(request, random)
  const asController = request.drafts.some((draft) => draft.asController === true)
  return {
    session: request.session,
    // Whoever may speak only as the controller most likely is.
    ...(asController && { reads: [FIELD.controller] }),
    answered: (known) => answered(entries, known),
    decide: (known) => {
      const done = answered(entries, known)
      return done === null ? decide(request, entries, known) : { done }
    },
  }
}

interface Entry {
  readonly draft: Draft
  readonly event: NewEvent
}

/** Ids and tags are chosen once, so that every attempt, and every retry of the store, is the very same request. */
function prepare(request: AppendRequest, random: Random): Entry[] {
  const whole =
    request.idempotencyKey === undefined
      ? ''
      : fingerprint(
          ...request.drafts.flatMap((draft) => [draft.type, draft.id ?? '', draft.rawData]),
        )
  const bodyOf = bodiesBy(request.by)
  return request.drafts.map((draft, index) => {
    const tag = random.tag()
    const body = bodyOf(draft.type, draft.id ?? random.id(), draft.rawData)
    const dedupe = dedupeOf(request, draft, index, whole)
    return { draft, event: dedupe === null ? { tag, body } : { tag, body, dedupe } }
  })
}

function dedupeOf(
  request: AppendRequest,
  draft: Draft,
  index: number,
  whole: string,
): Dedupe | null {
  if (request.idempotencyKey !== undefined) {
    return { id: `key:${request.idempotencyKey}:${index}`, fingerprint: whole }
  }
  if (draft.id === null) return null
  return { id: `id:${draft.id}`, fingerprint: fingerprint(draft.type, draft.rawData) }
}

function answered(entries: readonly Entry[], known: Known): Appended | null {
  const { epoch } = known
  if (epoch === null) return null
  const serials = entries.map((entry, index) => knownSerial(entry, index, known))
  if (serials.includes(undefined)) return null
  return {
    epoch,
    serials: serials.map((serial) => serial ?? null),
    duplicates: entries.length,
    committed: null,
  }
}

function decide(
  request: AppendRequest,
  entries: readonly Entry[],
  known: Known,
): Extract<Decision<Appended>, { readonly commit: unknown }> {
  const serials = knownSerials(entries, known)
  const fresh =
    serials === null ? entries : entries.filter((_, index) => serials[index] === undefined)
  const duplicates = entries.length - fresh.length
  if ((known.fields.get(FIELD.closed) ?? null) !== null) {
    throw new HeldlineError('session_closed', 'unable to append; the session is closed')
  }
  const messages = messageGuards(fresh, request.by, known)
  const { producer } = request
  const skipped = known.replayed.length
  if (producer !== undefined && fresh.length < entries.length - skipped) throw mixed()
  const commit = {
    events: fresh.map((entry) => entry.event),
    guards: [{ field: FIELD.closed, equals: null }, ...messages.guards],
    writes: messages.writes,
    ...(producer && {
      producer: { ...producer, seq: producer.seq + skipped, count: entries.length - skipped },
    }),
  }
  return {
    commit,
    answer: (done) => ({
      epoch: done.epoch,
      serials: serials === null ? range(done.first, fresh.length) : fill(serials, done),
      duplicates,
      committed: done,
    }),
  }
}

/** A producer's seqs are claimed one an event, without a hole: an event that came by another way before can't be skipped. */
function mixed(): HeldlineError {
  return new HeldlineError(
    'idempotency_conflict',
    'unable to append; some of these ids were appended before, but not as these seqs of the producer',
  )
}

/** The serials that events got before, see below; `null` where none of them did, as is usual. */
function knownSerials(
  entries: readonly Entry[],
  known: Known,
): readonly (number | null | undefined)[] | null {
  if (known.replayed.length === 0 && known.duplicates.size === 0) return null
  return entries.map((entry, index) => knownSerial(entry, index, known))
}

/** The serial that an event got before; `null` when that is too old to know; `undefined` when the event is new. */
function knownSerial(entry: Entry, index: number, known: Known): number | null | undefined {
  if (index < known.replayed.length) return known.replayed[index] ?? null
  const { dedupe } = entry.event
  const earlier = dedupe && known.duplicates.get(dedupe.id)
  if (dedupe === undefined || earlier === undefined) return undefined
  if (earlier.fingerprint !== dedupe.fingerprint) {
    throw new HeldlineError(
      'idempotency_conflict',
      'unable to append; this id was used before with other content',
      {
        facts: { serial: earlier.serial },
      },
    )
  }
  return earlier.serial
}

function range(first: number, length: number): number[] {
  const serials: number[] = []
  for (let serial = first; serial < first + length; serial++) serials.push(serial)
  return serials
}

function fill(serials: readonly (number | null | undefined)[], done: Committed): (number | null)[] {
  let next = done.first
  return serials.map((serial) => (serial === undefined ? next++ : serial))
}

/**
 * The open messages that the events rely on are guessed, not read: the guard proves the guess in the same round trip,
 * and a conflict brings the truth for the next decision.
 */
function messageGuards(
  entries: readonly Entry[],
  by: By,
  known: Known,
): { readonly guards: readonly Guard[]; readonly writes: readonly FieldWrite[] } {
  // That nobody has control is guessed in the same way.
  const equals = known.fields.get(FIELD.controller) ?? null
  const controller = parseController(equals)
  let states: MessageStates | null = null
  let extended: string | null = null
  for (const { draft } of entries) {
    const change = heard(draft, controller, by)
    // What goes on with a message that the event before went on with relies on nothing else than that one.
    if (change === null || (change.verb === 'extend' && change.id === extended)) continue
    states ??= new MessageStates(known.fields)
    states.change(change)
    extended = change.verb === 'extend' ? change.id : null
  }
  if (states === null) return { guards: [], writes: [] }
  const { guards, writes } = states.outcome()
  return { guards: [...guards, { field: FIELD.controller, equals }], writes }
}
