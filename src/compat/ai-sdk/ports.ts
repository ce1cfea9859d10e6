import type { Clock } from '../../core/clock.ts'
import type { Hub } from '../../core/hub.ts'
import type { Inputs } from '../../core/inputs.ts'
import type { Limits } from '../../core/limits.ts'
import type { Log } from '../../core/log.ts'
import type { Questions } from '../../core/questions.ts'
import type { Runs } from '../../core/runs.ts'
import type { Sessions } from '../../core/sessions.ts'
import type { SessionSettings } from '../../core/transitions/session.ts'
import type { Views } from '../../core/views.ts'

/** What the face for the AI SDK's stock transports needs of the server. */
export interface AiSdkPorts {
  readonly hub: Hub
  readonly views: Pick<Views, 'at'>
  readonly inputs: Pick<Inputs, 'receive' | 'cancel' | 'fate'>
  readonly runs: Pick<Runs, 'cancel'>
  readonly questions: Pick<Questions, 'answer'>
  readonly sessions: Pick<Sessions, 'open'>
  readonly clock: Clock
  readonly limits: Limits
  readonly log: Log
  /** What a session gets that is made for its first message. */
  readonly defaultSettings: SessionSettings
  /** What an abort of a client means that does not say it: the stock transport sends the same for "stop" and for "leave". */
  readonly onAbort: 'detach' | 'cancel'
  /** For so long a run that has lost its agent may be taken over by another one, before its answer counts as failed. Default 60 s. */
  readonly lostMs?: number
}

export const LOST_MS = 60_000
