import type { SessionId } from '../../protocol/ids.ts'
import type { Transition } from '../commit.ts'
import { FIELD } from '../record.ts'
import { parseListed } from './delivery-record.ts'

export interface MarkedRead {
  /** Up to here the subject has read. */
  readonly serial: number
  /** Whether results wait for this very subject, which may have read them now. */
  readonly awaited: boolean
}

/** Records how far a subject has read. It never falls. [P-4.8] */
export function markRead(request: {
  readonly session: SessionId
  readonly subject: string
  readonly serial: number
}): Transition<MarkedRead> {
  const field = FIELD.read(request.subject)
  return {
    session: request.session,
    // The list is read along, so that who reads where nothing is delivered pays nothing for it.
    reads: [field, FIELD.deliveries],
    decide: (known) => {
      const text = known.fields.get(field) ?? null
      const listed = parseListed(known.fields.get(FIELD.deliveries) ?? null)
      const awaited = listed.some(({ to }) => to === request.subject)
      const before = Number(text ?? 0)
      if (before >= request.serial) return { done: { serial: before, awaited } }
      return {
        commit: {
          guards: [{ field, equals: text }],
          writes: [{ field, value: String(request.serial) }],
        },
        answer: () => ({ serial: request.serial, awaited }),
      }
    },
  }
}
