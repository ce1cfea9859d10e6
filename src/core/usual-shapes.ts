import type { NewEventBody, PublishFrame } from '../protocol/frames-up.ts'
import { MAX_EVENTS_A_REQUEST } from '../protocol/frames-up.ts'
import { ID_PATTERN } from '../protocol/ids.ts'
import type { MessageDelta } from '../protocol/messages.ts'
import { isObject } from '../protocol/shape.ts'

/*
 * What most of what comes in looks like, checked by hand: a schema takes ten times as long. What is taken here, its schema takes, and leaves
 * as it is (a test holds them together); of anything else nothing is said, and the schema is asked. Values are those of JSON.parse.
 */

const MAX_TYPE = 64
const MAX_REF = 64

/** An event of a publish: `newEventSchema`. */
export function isUsualEvent(value: unknown): value is NewEventBody {
  if (!isObject(value)) return false
  for (const key in value) if (key !== 'type' && key !== 'data' && key !== 'id') return false
  const { type, id } = value
  return typeof type === 'string' && type.length <= MAX_TYPE && (id === undefined || isId(id))
}

/** Text that goes on: the first of `messageDelta`. */
export function isUsualDelta(value: unknown): value is MessageDelta & { readonly text: string } {
  if (!isObject(value)) return false
  for (const key in value) if (key !== 'message' && key !== 'text' && key !== 'part') return false
  const { message, text, part } = value
  return isId(message) && typeof text === 'string' && (part === undefined || isId(part))
}

/** A frame that publishes: `publishFrame`. */
export function isUsualPublish(value: unknown): value is PublishFrame {
  if (!isObject(value)) return false
  for (const key in value) {
    if (key !== 'op' && key !== 'ref' && key !== 'session' && key !== 'events') return false
  }
  const { op, ref, session, events } = value
  if (op !== 'publish' || typeof session !== 'string') return false
  if (typeof ref !== 'string' || ref.length === 0 || ref.length > MAX_REF) return false
  if (!Array.isArray(events) || events.length === 0 || events.length > MAX_EVENTS_A_REQUEST) {
    return false
  }
  for (const event of events) if (!isUsualEvent(event)) return false
  return true
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && ID_PATTERN.test(value)
}
