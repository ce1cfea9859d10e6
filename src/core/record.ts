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
  /** `<members> <people>`: how many members the session has, and how many of them are people. */
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
  /** `<epoch> <status>` of a run: what every word of its agent is guarded by. */
  run: (id: string) => `run:${id}`,
  /** JSON of what a run is beside its status: see RunInfo. */
  runInfo: (id: string) => `run-info:${id}`,
  /** The connection that beat for a run last: when it is lost, so is the agent. */
  runSocket: (id: string) => `run-socket:${id}`,
  /** JSON of the ids of the messages that a run has open. */
  runOpen: (id: string) => `run-open:${id}`,
  /** JSON of the ids of the questions that a run has open. */
  runQuestions: (id: string) => `run-questions:${id}`,
  /** The run that a trigger started; CANCELLED_TRIGGER where it was cancelled before one did. */
  trigger: (id: string) => `trigger:${id}`,
  /** JSON of the ids of the runs that live. */
  live: 'live',
  /** JSON of an input and what became of it: see InputRecord. */
  input: (id: string) => `input:${id}`,
  /** JSON of the ids of the inputs that wait, oldest first. */
  inputs: 'inputs',
  /** `open`, or JSON of what became of a question. */
  question: (id: string) => `question:${id}`,
  /** JSON of what was asked: see QuestionInfo. */
  questionInfo: (id: string) => `question-info:${id}`,
  /** JSON of the questions that were asked last, with the bytes of each: all that are open, and some that are over by now. */
  questions: 'questions',
  /** Which of a kind came last, so that those before can be forgotten: see `remember`. */
  recent: (kind: string) => `recent:${kind}`,
  recentPage: (kind: string, page: number) => `recent:${kind}:${page}`,
  /** `<version> <value>` of a key of the state; a deleted one keeps its version. */
  state: (key: string) => `state:${key}`,
  /** JSON of the keys of the state with the bytes that each takes of the view. */
  stateIndex: 'state-index',
  /** JSON of an effect: see EffectRecord. */
  effect: (key: string) => `effect:${key}`,
  /** JSON of the ids of the effects that a run has reserved and not recorded. */
  runEffects: (run: string) => `run-effects:${run}`,
  /** JSON of the controller; absent while agents speak for themselves. */
  controller: 'controller',
  /** JSON of a delivery. */
  delivery: (id: string) => `delivery:${id}`,
  /** JSON of the deliveries that are pending or failed, and whom each is for. */
  deliveries: 'deliveries',
  /** JSON of what the webhook is told of, by what it is about: see NoticeRecord. */
  notice: (name: string) => `notice:${name}`,
} as const

export const DEADLINE = {
  /** The session's idle time is over. */
  expire: 'expire',
  /** Look for events that are too old. */
  retention: 'retention',
  member: (id: MemberId | string) => `member:${id}`,
  /** The lease of a run: first it counts as stalled, then as lost. */
  run: (id: string) => `run:${id}`,
  /** An input, or a question, that waits no longer. */
  input: (id: string) => `input:${id}`,
  question: (id: string) => `question:${id}`,
  /** The next try of a delivery. */
  delivery: (id: string) => `delivery:${id}`,
  /** The next try of a notice. */
  notice: (name: string) => `notice:${name}`,
} as const

/** Why a session takes no more appends. */
export const CLOSED = {
  /** For good. */
  closed: 'closed',
  /** Its idle time is over: it is removed in a moment, or, where an append came in time, open again. */
  expiring: 'expiring',
} as const
