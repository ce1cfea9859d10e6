import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { WebhookEvents } from '../webhook.ts'
import { guardOf } from './commit-parts.ts'
import { parseInput } from './input-record.ts'
import { inputOf, newNotice, noNotice, noticeOf, type NoticeRecord } from './notice-record.ts'

/** One notice of a session, by what it is about: see `inputNotice` and PRESENCE_NOTICE. */
export interface NoticeName {
  readonly session: SessionId
  readonly name: string
}

export interface ClaimRequest extends NoticeName {
  /** As `due` gave it: it is claimed once, whichever nodes look. */
  readonly at: number
  /** How long nobody else may try it. */
  readonly leaseMs: number
  /** What the webhook is told of; anything else is dropped. */
  readonly tells: WebhookEvents
}

export interface ClaimedNotice {
  /** With this try counted. */
  readonly record: NoticeRecord
  /** The head of the log at the claim, and the store's time: as of when it is so. */
  readonly serial: number
  readonly at: number
}

/**
 * Takes a due notice for one try: until the lease is over nobody else does, and then somebody does, should the node die meanwhile. [P-17.3]
 * @returns `null`: there is nothing to tell (any more), or another node was faster
 */
export function claimNotice(
  request: ClaimRequest,
  random: Random,
): Transition<ClaimedNotice | null> {
  const { session, name, at, leaseMs, tells } = request
  const field = FIELD.notice(name)
  const deadline = DEADLINE.notice(name)
  const input = inputOf(name)
  return {
    session,
    reads: input === null ? [field] : [field, FIELD.input(input)],
    decide: (known): Decision<ClaimedNotice | null> => {
      if (known.deadlines.has(deadline) && known.deadlines.get(deadline) !== at) {
        return { done: null }
      }
      const guards = [{ deadline, at }, guardOf(known, field)]
      const before = input === null ? noticeOf(known, name) : ofInput(known, input, name, random)
      if (before === null || !tells.has(before.type)) {
        return { commit: { guards, ...noNotice(name) }, answer: () => null }
      }
      if (before.status !== 'pending') {
        return { commit: { guards, deadlines: [{ deadline, inMs: null }] }, answer: () => null }
      }
      const { reason: _, ...rest } = before
      const record = { ...rest, attempts: before.attempts + 1 }
      return {
        commit: {
          guards,
          writes: [{ field, value: JSON.stringify(record) }],
          deadlines: [{ deadline, inMs: leaseMs }],
        },
        answer: (done) => ({ record, serial: done.last, at: done.at }),
      }
    },
  }
}

/** The first try makes it. Whatever ends the wait of the input takes the deadline along, which the claim is guarded by. */
function ofInput(known: Known, input: string, name: string, random: Random): NoticeRecord | null {
  if (parseInput(known.fields.get(FIELD.input(input)) ?? null)?.status !== 'waiting') return null
  return noticeOf(known, name) ?? newNotice('input.received', random)
}

/** The receiver has it: nothing more is sent. What was overtaken by another notice decides nothing about that. */
export function noticeTold(request: NoticeName & { readonly id: string }): Transition<boolean> {
  return change(request, (before) => {
    if (before?.id !== request.id || before.status !== 'pending') return { unchanged: false }
    const { reason: _, ...rest } = before
    return { record: { ...rest, status: 'told' }, inMs: null, answer: true }
  })
}

export interface FailedNotice extends NoticeName {
  readonly id: string
  /** As counted when the try was claimed: a try that was overtaken by another decides nothing. */
  readonly attempts: number
  readonly reason: string
  /** When it is tried again; `null`: never. */
  readonly againInMs: number | null
}

/** A try came to nothing. @returns whether the notice has failed by that */
export function failNotice(request: FailedNotice): Transition<boolean> {
  const { id, attempts, reason, againInMs: inMs } = request
  const status = inMs === null ? 'failed' : 'pending'
  return change(request, (before) => {
    const mine = before?.id === id && before.attempts === attempts
    if (!mine || before.status !== 'pending') return { unchanged: false }
    return { record: { ...before, status, reason }, inMs, answer: status === 'failed' }
  })
}

/**
 * Sends one that has failed once more, from the first try on. [P-17.5]
 * @throws HeldlineError `notice_not_found`; `notice_closed` where it was told or is on its way
 */
export function replayNotice(
  request: NoticeName & { readonly id: string },
): Transition<NoticeRecord> {
  return change(request, (before) => {
    if (before?.id !== request.id) throw noticeNotFound()
    if (before.status !== 'failed') {
      const detail = before.status === 'told' ? 'it was told' : 'it is on its way'
      throw new HeldlineError('notice_closed', `unable to replay; ${detail}`, {
        facts: { noticeStatus: before.status, attempts: before.attempts },
      })
    }
    const { reason: _, ...rest } = before
    const record: NoticeRecord = { ...rest, status: 'pending', attempts: 0 }
    return { record, inMs: 0, answer: record }
  })
}

export function noticeNotFound(): HeldlineError {
  return new HeldlineError('notice_not_found', 'there is no such notice')
}

interface Changed<Answer> {
  readonly record: NoticeRecord
  /** When it is looked at again; `null`: never. */
  readonly inMs: number | null
  readonly answer: Answer
}

function change<Answer>(
  { session, name }: NoticeName,
  to: (before: NoticeRecord | null) => Changed<Answer> | { readonly unchanged: Answer },
): Transition<Answer> {
  const field = FIELD.notice(name)
  return {
    session,
    reads: [field],
    decide: (known) => {
      const changed = to(noticeOf(known, name))
      if ('unchanged' in changed) return { done: changed.unchanged }
      const { record, inMs, answer } = changed
      return {
        commit: {
          guards: [guardOf(known, field)],
          writes: [{ field, value: JSON.stringify(record) }],
          deadlines: [{ deadline: DEADLINE.notice(name), inMs }],
        },
        answer: () => answer,
      }
    },
  }
}
