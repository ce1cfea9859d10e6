/** The bounds of the core, each with the reason for its default. */
export interface Limits {
  /** A page of the store: long enough to be efficient, short enough to block nobody, and to leave little behind for the collector. */
  readonly pageEvents: number
  readonly pageBytes: number
  /** What a node keeps of a session's latest events, so that readers at the head need no store. */
  readonly tailBytes: number
  readonly tailBytesOfAll: number
  /**
   * Readers that arrive, and are given what they missed, at one time; others wait. Ten thousand that come back at once would otherwise ask the store all at once, and what
   * it answers then would leave no turn of the event loop to anybody else, for seconds.
   */
  readonly arrivalsAtOnce: number
  /** The pages that were read a moment ago for readers who came back, kept for those who come after them, of all sessions. */
  readonly recentBytesOfAll: number
  /** More missed events than this are given folded, where the reader takes that. */
  readonly foldAfterEvents: number
  /** After so many events a stored snapshot is worth writing. */
  readonly snapshotEveryEvents: number
  /** At a message's end, when people come to read it, one is worth it sooner: so much takes a cold node milliseconds to read back, or to encode. */
  readonly snapshotAtEndEvents: number
  readonly snapshotAtEndBytes: number
  readonly snapshotAtEndText: number
  /** The folded views that a node keeps, by the size of their text. */
  readonly viewBytesOfAll: number
  /** Whole views as frames, kept for the next who joins at the same position. */
  readonly snapshotBytesOfAll: number
  /** What may wait in a socket before its reader is paused. */
  readonly outboxBytes: number
  /** What may wait in a socket at all, control frames included. */
  readonly outboxHardBytes: number
  /** A socket that takes nothing for so long is closed. */
  readonly slowConsumerMs: number
  readonly maxEventBytes: number
  readonly maxFrameBytes: number
  readonly maxSignalBytes: number
  readonly maxSessionsPerSocket: number
  readonly maxMembers: number
  /** Inputs of a session that wait for an agent. */
  readonly maxInputs: number
  /** What they say together, beside what people read of them: every snapshot holds it. */
  readonly maxInputsBytes: number
  /** Questions of a session that are open. */
  readonly maxQuestions: number
  /** What they ask together: every snapshot holds it. */
  readonly maxQuestionsBytes: number
  /** Of one session, at once: an interrupt ends all of them in one commit. */
  readonly maxLiveRuns: number
  /** For so long an agent may be silent before its run counts as lost, where it does not say otherwise. */
  readonly defaultLeaseMs: number
  readonly minLeaseMs: number
  readonly maxLeaseMs: number
  /** The shared state travels whole, in every snapshot. */
  readonly maxStateKeys: number
  readonly maxStateBytes: number
  /** What a run may have reserved and not recorded: all of it is told when the run is lost. */
  readonly maxOpenEffects: number
  readonly framesPerSecond: number
  readonly framesBurst: number
  readonly heartbeatMs: number
  /** How often the heads of followed sessions are read: heals a lost wake-up. */
  readonly verifyMs: number
  readonly presenceGraceMs: number
  readonly presenceWindowMs: number
  readonly presenceTtlMs: number
  /** How long a result may stay unread before it is sent to the webhook. */
  readonly deliveryAfterMs: number
  /** How long an input may wait before the webhook is told of it. */
  readonly inputNoticeAfterMs: number
}

export const DEFAULT_LIMITS: Limits = {
  pageEvents: 256,
  pageBytes: 128 * 1024,
  tailBytes: 256 * 1024,
  tailBytesOfAll: 256 * 1024 * 1024,
  arrivalsAtOnce: 32,
  recentBytesOfAll: 16 * 1024 * 1024,
  foldAfterEvents: 5000,
  snapshotEveryEvents: 2048,
  snapshotAtEndEvents: 256,
  snapshotAtEndBytes: 256 * 1024,
  snapshotAtEndText: 64 * 1024,
  viewBytesOfAll: 128 * 1024 * 1024,
  snapshotBytesOfAll: 32 * 1024 * 1024,
  outboxBytes: 256 * 1024,
  outboxHardBytes: 1024 * 1024,
  slowConsumerMs: 30_000,
  maxEventBytes: 64 * 1024,
  maxFrameBytes: 128 * 1024,
  maxSignalBytes: 8 * 1024,
  maxSessionsPerSocket: 100,
  maxMembers: 1000,
  maxInputs: 100,
  maxInputsBytes: 256 * 1024,
  maxQuestions: 100,
  maxQuestionsBytes: 256 * 1024,
  maxLiveRuns: 100,
  defaultLeaseMs: 25_000,
  minLeaseMs: 5000,
  maxLeaseMs: 24 * 60 * 60 * 1000,
  maxStateKeys: 256,
  maxStateBytes: 512 * 1024,
  maxOpenEffects: 100,
  framesPerSecond: 50,
  framesBurst: 100,
  heartbeatMs: 15_000,
  verifyMs: 4000,
  presenceGraceMs: 15_000,
  presenceWindowMs: 120_000,
  presenceTtlMs: 45_000,
  deliveryAfterMs: 60_000,
  inputNoticeAfterMs: 1000,
}
