import type { Member } from '../../protocol/event.ts'
import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { WebhookEvent, WebhookEvents } from '../webhook.ts'
import type { CommitParts } from './commit-parts.ts'

export type NoticeType = Extract<WebhookEvent, `input.${string}` | `presence.${string}`>

/** A notice as the record keeps it: of an input from its first try on, for as long as that waits; of the presence the latest. */
export interface NoticeRecord {
  /** Random: a receiver knows a repetition by it, over all sessions. */
  readonly id: string
  readonly type: NoticeType
  readonly status: 'pending' | 'told' | 'failed'
  /** Tries so far, each counted when it begins. */
  readonly attempts: number
  /** What the last try came to, in a word; absent before the first, and while one is under way. */
  readonly reason?: string
  /** Of the presence: who came first, or left last. */
  readonly who?: Pick<Member, 'member' | 'subject' | 'kind'>
}

/** What a notice is about, as its field and its deadline name it. */
export const PRESENCE_NOTICE = 'presence'
const INPUT_PREFIX = 'input:'

export function inputNotice(input: string): string {
  return `${INPUT_PREFIX}${input}`
}

/** `null`: it is not about an input. */
export function inputOf(name: string): string | null {
  return name.startsWith(INPUT_PREFIX) ? name.slice(INPUT_PREFIX.length) : null
}

/** What the record is known to hold; `null` also where nothing is known yet. */
export function noticeOf(known: Known, name: string): NoticeRecord | null {
  return parseNotice(known.fields.get(FIELD.notice(name)) ?? null)
}

export function parseNotice(text: string | null): NoticeRecord | null {
  // The record holds only what the transitions of notices write.
  return text === null ? null : (JSON.parse(text) as NoticeRecord)
}

export function newNotice(type: NoticeType, random: Random): NoticeRecord {
  return { id: random.id(), type, status: 'pending', attempts: 0 }
}

/** Nothing more is to be told of it, whatever has been. */
export function noNotice(name: string): Pick<CommitParts, 'writes' | 'deadlines'> {
  return {
    writes: [{ field: FIELD.notice(name), value: null }],
    deadlines: [{ deadline: DEADLINE.notice(name), inMs: null }],
  }
}

/**
 * The first person came, or the last one left: due at once, in the place of what was to be told before. [P-17.2]
 * @param tells what the webhook is told of: where it hears nothing of the presence, nothing is written
 */
export function presenceNotice(
  type: Extract<NoticeType, `presence.${string}`>,
  { member, subject, kind }: Omit<Member, 'connected'>,
  tells: WebhookEvents,
  random: Random,
): Pick<CommitParts, 'writes' | 'deadlines'> {
  if (!tells.has('presence.attached') && !tells.has('presence.empty')) {
    return { writes: [], deadlines: [] }
  }
  if (!tells.has(type)) return noNotice(PRESENCE_NOTICE)
  const record: NoticeRecord = { ...newNotice(type, random), who: { member, subject, kind } }
  return {
    writes: [{ field: FIELD.notice(PRESENCE_NOTICE), value: JSON.stringify(record) }],
    deadlines: [{ deadline: DEADLINE.notice(PRESENCE_NOTICE), inMs: 0 }],
  }
}
