import type { SessionId } from '../../protocol/ids.ts'
import type { Transition } from '../commit.ts'
import { FIELD } from '../record.ts'

/** Records how far a subject has read. It never falls. [P-4.8] */
export function markRead(request: {
  readonly session: SessionId
  readonly subject: string
  readonly serial: number
}): Transition<number> {
  const field = FIELD.read(request.subject)
  return {
    session: request.session,
    reads: [field],
    decide: (known) => {
      const text = known.fields.get(field) ?? null
      const before = Number(text ?? 0)
      if (before >= request.serial) return { done: before }
      return {
        commit: {
          guards: [{ field, equals: text }],
          writes: [{ field, value: String(request.serial) }],
        },
        answer: () => request.serial,
      }
    },
  }
}
