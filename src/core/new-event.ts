import type { Member } from '../protocol/json.ts'
import { APPLICATION_TYPE, EVENT_DATA, isMessageType, RESERVED_NOUNS } from '../protocol/event.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { NewEventBody } from '../protocol/frames-up.ts'
import type { MessageCompleted, MessageDelta, MessageStarted } from '../protocol/messages.ts'
import { exceedsBytes } from './bytes.ts'
import { isUsualDelta } from './usual-shapes.ts'

/** An event that a caller wants to append: its envelope parsed, its data checked, and the bytes of the data as they came. */
export interface Draft {
  readonly type: string
  /** The caller's own id: remembered, so that a retry is recognised. */
  readonly id: string | null
  readonly rawData: string
  /** What a message event does to which message; `null` for `x.*`. */
  readonly message: MessageChange | null
  /** Its author may say this only while they have control. */
  readonly asController?: true
}

export interface MessageChange {
  readonly id: string
  /** `say`: starts and completes, and never touches a message that is there. */
  readonly verb: 'start' | 'extend' | 'complete' | 'say' | 'replace' | 'delete'
  /** The role that a start gives. */
  readonly role: MessageStarted['role'] | null
}

/**
 * A draft from an envelope that its schema has parsed and the members of the text that it was parsed from.
 * @throws HeldlineError `reserved_type`, `unknown_type`, `invalid_request`, `payload_too_large`
 */
export function draft(
  envelope: NewEventBody,
  members: readonly Member[],
  maxEventBytes: number,
): Draft {
  const rawData = members.find((member) => member.key === 'data')?.raw ?? 'null'
  if (exceedsBytes(rawData, maxEventBytes)) {
    throw new HeldlineError(
      'payload_too_large',
      `unable to append; data is over ${maxEventBytes} bytes`,
      {
        facts: { maxBytes: maxEventBytes },
      },
    )
  }
  const message = isMessageType(envelope.type) ? messageChange(envelope.type, envelope.data) : null
  if (message === null) checkApplicationType(envelope.type)
  return { type: envelope.type, id: envelope.id ?? null, rawData, message }
}

function checkApplicationType(type: string): void {
  if (APPLICATION_TYPE.test(type)) return
  if (RESERVED_NOUNS.test(type)) {
    throw new HeldlineError('reserved_type', 'unable to append; the server alone writes this type')
  }
  throw new HeldlineError('unknown_type', 'unable to append; the type is not known')
}

function messageChange(type: keyof typeof VERBS, data: unknown): MessageChange {
  if (type === 'message.delta' && isUsualDelta(data)) {
    return { id: data.message, verb: 'extend', role: null }
  }
  const parsed = EVENT_DATA[type].safeParse(data)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const at = ['data', ...(issue?.path ?? [])].map(String).join('.')
    throw new HeldlineError(
      'invalid_request',
      `unable to append; ${at}: ${issue?.message ?? 'invalid'}`,
    )
  }
  const value: MessageStarted | MessageDelta | MessageCompleted | { message: string } = parsed.data
  const role = 'role' in value ? (value.role ?? null) : null
  return { id: value.message, verb: VERBS[type], role }
}

const VERBS = {
  'message.started': 'start',
  'message.delta': 'extend',
  'message.completed': 'complete',
  'message.replaced': 'replace',
  'message.deleted': 'delete',
} as const
