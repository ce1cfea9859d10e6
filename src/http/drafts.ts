import type { Draft } from '../core/new-event.ts'
import { draft } from '../core/new-event.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { MAX_EVENTS_A_REQUEST, newEventSchema } from '../protocol/frames-up.ts'
import { arrayElements } from '../protocol/json.ts'
import { checkKeys, parseBy, type RawJson } from './body.ts'

/**
 * An event that a caller wants to append, with the bytes of its data as they came. [P-2.3]
 * @throws HeldlineError for the envelope, or what `draft` throws
 */
export function draftOf(event: RawJson, maxEventBytes: number): Draft {
  const { text, value } = event
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const members = isObject ? checkKeys(text) : []
  return draft(parseBy(newEventSchema, value), members, maxEventBytes)
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
  return arrayElements(text).map((element, index) => {
    try {
      return draftOf({ text: element, value: value[index] }, maxEventBytes)
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
