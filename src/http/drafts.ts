import type { Draft } from '../core/new-event.ts'
import { draft } from '../core/new-event.ts'
import { isUsualEvent } from '../core/usual-shapes.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { MAX_EVENTS_A_REQUEST, newEventSchema } from '../protocol/frames-up.ts'
import { elementMembers, objectMembers, type Member } from '../protocol/json.ts'
import { isObject } from '../protocol/shape.ts'
import { checkMembers, parseBy, type RawJson } from './body.ts'

/**
 * An event that a caller wants to append, with the bytes of its data as they came. [P-2.3]
 * @throws HeldlineError for the envelope, or what `draft` throws
 */
export function draftOf({ text, value }: RawJson, maxEventBytes: number): Draft {
  return draftFrom(value, isObject(value) ? objectMembers(text) : [], maxEventBytes)
}

function draftFrom(value: unknown, members: readonly Member[], maxEventBytes: number): Draft {
  checkMembers(members)
  const envelope = isUsualEvent(value) ? value : parseBy(newEventSchema, value)
  return draft(envelope, members, maxEventBytes)
}

/** One event, or those of an array; what is wrong with one of them says with which. */
export function draftsOf(body: RawJson, maxEventBytes: number): readonly Draft[] {
  const { text, value } = body
  if (!Array.isArray(value)) return [draftOf(body, maxEventBytes)]
  if (value.length === 0)
    throw new HeldlineError('invalid_request', 'unable to append; the array is empty')
  if (value.length > MAX_EVENTS_A_REQUEST) {
    throw new HeldlineError(
      'payload_too_large',
      `unable to append; the array has over ${MAX_EVENTS_A_REQUEST} events`,
      {
        facts: { maxEvents: MAX_EVENTS_A_REQUEST },
      },
    )
  }
  return elementMembers(text).map((members, index) => {
    try {
      return draftFrom(value[index], members ?? [], maxEventBytes)
    } catch (error) {
      throw error instanceof HeldlineError ? at(index, error) : error
    }
  })
}

function at(index: number, error: HeldlineError): HeldlineError {
  return new HeldlineError(error.code, error.message, {
    cause: error,
    facts: { ...error.facts, index },
  })
}
