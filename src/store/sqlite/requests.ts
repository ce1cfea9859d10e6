import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  TrimPolicy,
  TrimResult,
} from '../../core/store.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'

/** What the store asks of its writer. */
export type WriteRequest =
  | { readonly kind: 'commit'; readonly commit: CommitRequest }
  | { readonly kind: 'trim'; readonly session: SessionId; readonly policy: TrimPolicy }
  | {
      readonly kind: 'remove'
      readonly session: SessionId
      readonly guard: DeadlineGuard | undefined
    }
  /** Asks for a sign of life: answered in its turn. */
  | { readonly kind: 'ping' }

/** What the writer answers to each. */
export interface WriteAnswers {
  readonly commit: CommitResult
  readonly trim: TrimResult | null
  readonly remove: boolean
  readonly ping: null
}
export type WriteAnswer = WriteAnswers[keyof WriteAnswers]

/** A row of the error table, in a form that crosses threads. */
export class Failure {
  readonly code: ErrorCode
  readonly detail: string

  constructor(code: ErrorCode, detail: string) {
    this.code = code
    this.detail = detail
  }
}

/** How much a request weighs in a group or a queue: its rows and its text. */
export function sizeOf(request: WriteRequest): { readonly rows: number; readonly chars: number } {
  if (request.kind !== 'commit') return { rows: 1, chars: 0 }
  const { events = [], writes = [], deadlines = [] } = request.commit
  let chars = 0
  for (const { body } of events) chars += body.length
  for (const { value } of writes) chars += value?.length ?? 0
  return { rows: 1 + events.length + writes.length + deadlines.length, chars }
}
