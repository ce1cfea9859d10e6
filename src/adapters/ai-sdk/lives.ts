import type { isOver, Run } from '../../protocol/fold/fold-run.ts'

/** What decides whether a run lives. */
export interface Living {
  /** Which the page has already. */
  readonly isOver: typeof isOver
  /** See `AnswerOptions`. */
  readonly lostMs?: number
}

/** For so long, in milliseconds, a run that has lost its agent may be taken over by another one. */
const LOST_MS = 60_000

/** Whether it goes on, or may: one that is lost may be taken over for a while. The clocks of pages go wrong, but seldom by that much. */
export function lives({ status, updatedAt }: Run, { isOver, lostMs = LOST_MS }: Living): boolean {
  return status === 'lost' ? Date.now() - updatedAt < lostMs : !isOver(status)
}
