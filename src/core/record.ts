import type { MemberId, MessageId } from '../protocol/ids.ts'

/** The names of the fields and deadlines of a session's record: one place, so that no two nouns share one. */
export const FIELD = {
  /** Present: the session takes no more appends. A value of CLOSED. */
  closed: 'closed',
  /** JSON of the metadata. */
  metadata: 'metadata',
  /** JSON of SessionSettings. */
  settings: 'settings',
  /** Milliseconds since 1970. */
  created: 'created',
  /** How many members the session has. */
  members: 'members',
  /** Header of the stored snapshot; its messages are in `snapshot:<index>`. */
  snapshot: 'snapshot',
  /** The name of the save of a snapshot that began last: it alone may go on. */
  saving: 'saving',
  snapshotMessage: (index: number) => `snapshot:${index}`,
  /** `open`, `completed` or `deleted`. */
  message: (id: MessageId | string) => `message:${id}`,
  member: (id: MemberId | string) => `member:${id}`,
  /** The connection whose member somebody else took out, for as long as its node may not know. */
  removed: (id: MemberId | string) => `removed:${id}`,
  /** The serial up to which a subject has read. */
  read: (subject: string) => `read:${subject}`,
} as const

export const DEADLINE = {
  /** The session's idle time is over. */
  expire: 'expire',
  /** Look for events that are too old. */
  retention: 'retention',
  member: (id: MemberId | string) => `member:${id}`,
} as const

/** Why a session takes no more appends. */
export const CLOSED = {
  /** For good. */
  closed: 'closed',
  /** Its idle time is over: it is removed in a moment, or, where an append came in time, open again. */
  expiring: 'expiring',
} as const
