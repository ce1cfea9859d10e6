import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Controller } from '../../protocol/record-events.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import { guardOf, joinParts, parseList, type CommitParts } from './commit-parts.ts'
import { notController, parseController } from './controller.ts'
import { parseMember } from './member.ts'
import { parseRunText, runText } from './run-record.ts'
import { eventOf } from './session.ts'

export interface TakeRequest {
  readonly session: SessionId
  readonly controller: Controller
  /** Also from somebody else who has it. */
  readonly force: boolean
  readonly by: By
}

/**
 * Takes control: from this commit on, nobody else speaks as the assistant. What runs are just saying ends with it, interrupted. [P-14.1]
 * @returns whether this very request did it
 * @throws HeldlineError `session_closed`, `control_taken`, `forbidden` for a member that is another's
 */
export function takeControl(request: TakeRequest, random: Random): Transition<boolean> {
  const { session, controller, force, by } = request
  const member = controller.member === undefined ? [] : [FIELD.member(controller.member)]
  return {
    session,
    reads: [FIELD.controller, FIELD.live, FIELD.closed, ...member],
    decide: (known): Decision<boolean> => {
      if ((known.fields.get(FIELD.closed) ?? null) !== null) throw closed()
      const before = parseController(known.fields.get(FIELD.controller) ?? null)
      if (before?.subject === controller.subject) return { done: false }
      if (before !== null && !force) throw taken(before)
      for (const field of member) demandOwn(known, field, controller.subject)
      const live = parseList(known.fields.get(FIELD.live) ?? null)
      const needed = live.flatMap((run) => [FIELD.runOpen(run), FIELD.run(run)])
      const missing = needed.filter((field) => !known.fields.has(field))
      if (missing.length > 0) return { read: missing }
      const own: Partial<CommitParts> = {
        guards: [
          { field: FIELD.closed, equals: null },
          guardOf(known, FIELD.controller),
          guardOf(known, FIELD.live),
        ],
        events: [eventOf('control.taken', controller, by, random)],
        writes: [{ field: FIELD.controller, value: JSON.stringify(controller) }],
      }
      const silenced = live.map((run) => silence(known, run, by, random))
      return { commit: joinParts(...silenced, own), answer: () => true }
    },
  }
}

/** What a run is saying ends; the run itself goes on. */
function silence(known: Known, run: string, by: By, random: Random): Partial<CommitParts> {
  const list = FIELD.runOpen(run)
  const ids = parseList(known.fields.get(list) ?? null)
  if (ids.length === 0) return { guards: [guardOf(known, list)] }
  // Somebody else may have completed one of them: a conflict tells.
  const open = ids.filter((id) => (known.fields.get(FIELD.message(id)) ?? 'open') === 'open')
  const inRun = { ...by, run }
  return joinParts(
    {
      guards: [guardOf(known, list), ...ids.map((id) => guardOf(known, FIELD.message(id), 'open'))],
      events: open.map((message) =>
        eventOf('message.completed', { message, status: 'interrupted' }, inRun, random),
      ),
      writes: [
        ...open.map((id) => ({ field: FIELD.message(id), value: 'completed' })),
        { field: list, value: null },
      ],
    },
    thinks(known, run, inRun, random),
  )
}

/** A run streams until its message is completed. [P-10.4] */
function thinks(known: Known, run: string, by: By, random: Random): Partial<CommitParts> {
  const field = FIELD.run(run)
  const text = known.fields.get(field) ?? null
  if (text === null) return {}
  const { epoch, status } = parseRunText(text)
  if (status !== 'streaming') return { guards: [guardOf(known, field)] }
  return {
    guards: [guardOf(known, field)],
    events: [eventOf('run.status', { run, status: 'thinking' }, by, random)],
    writes: [{ field, value: runText({ epoch, status: 'thinking', said: false }) }],
  }
}

/**
 * Releases control: agents speak again.
 * @param request.any whether also another's
 * @returns whether this very request did it
 * @throws HeldlineError `not_controller`
 */
export function releaseControl(
  request: { readonly session: SessionId; readonly any: boolean; readonly by: By },
  random: Random,
): Transition<boolean> {
  const { session, any, by } = request
  return {
    session,
    reads: [FIELD.controller],
    decide: (known): Decision<boolean> => {
      const before = parseController(known.fields.get(FIELD.controller) ?? null)
      if (before === null) return { done: false }
      const { subject } = before
      if (subject !== by.subject && !any) throw notController(before)
      return {
        commit: {
          guards: [guardOf(known, FIELD.controller)],
          events: [eventOf('control.released', { subject }, by, random)],
          writes: [{ field: FIELD.controller, value: null }],
        },
        answer: () => true,
      }
    },
  }
}

function demandOwn(known: Known, field: string, subject: string): void {
  const member = parseMember(known.fields.get(field) ?? null)
  if (member?.member.subject === subject) return
  throw new HeldlineError(
    'forbidden',
    'unable to take control; the member is not the subject’s own',
  )
}

function taken({ subject, kind }: Controller): HeldlineError {
  return new HeldlineError('control_taken', 'unable to take control; somebody else has it', {
    facts: { subject, kind },
  })
}

function closed(): HeldlineError {
  return new HeldlineError('session_closed', 'unable to take control; the session is closed')
}
