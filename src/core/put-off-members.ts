import type { MemberId, SessionId } from '../protocol/ids.ts'
import { DEADLINE, FIELD } from './record.ts'
import type { Store } from './store.ts'

/** A member, and its record's text as the connection that speaks for it wrote it; `null`: a newer connection does. */
export interface SpokenFor {
  readonly member: MemberId
  readonly text: string | null
}

const MEMBERS_A_COMMIT = 200

/**
 * Moves the deadlines of members, but only where the record still is what their connection wrote: a newer connection looks after itself.
 * @returns those whose record is something else by now, with what it is
 */
export async function putOffMembers<One extends SpokenFor>(
  store: Pick<Store, 'commit'>,
  session: SessionId,
  members: readonly One[],
  inMs: number,
): Promise<(readonly [One, string | null])[]> {
  const changed: (readonly [One, string | null])[] = []
  const own = members.filter((one) => one.text !== null)
  for (let start = 0; start < own.length; start += MEMBERS_A_COMMIT) {
    let some = own.slice(start, start + MEMBERS_A_COMMIT)
    while (some.length > 0) {
      const result = await store.commit({
        session,
        guards: some.map((one) => ({ field: FIELD.member(one.member), equals: one.text })),
        deadlines: some.map((one) => ({ deadline: DEADLINE.member(one.member), inMs })),
      })
      if (result.outcome !== 'conflict') break
      const { fields } = result
      const textOf = (one: One): string | null => fields.get(FIELD.member(one.member)) ?? null
      for (const one of some) if (textOf(one) !== one.text) changed.push([one, textOf(one)])
      some = some.filter((one) => textOf(one) === one.text)
    }
  }
  return changed
}
