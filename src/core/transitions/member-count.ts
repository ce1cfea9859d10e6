import type { Member } from '../../protocol/event.ts'
import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import type { WebhookEvents } from '../webhook.ts'
import { guardOf, type CommitParts } from './commit-parts.ts'
import { presenceNotice } from './notice-record.ts'

type Who = Omit<Member, 'connected'>

/** How many members the session has. */
export function countMembers(known: Known): number {
  return countsIn(known).members
}

/**
 * What a change of one member does to the counts, and what the webhook is to be told by that. [P-17.2]
 * @param before `null`: it comes @param after `null`: it leaves
 */
export function countParts(
  known: Known,
  before: Who | null,
  after: Who | null,
  tells: WebhookEvents,
  random: Random,
): Partial<CommitParts> {
  const counts = countsIn(known)
  const came = Number(after !== null) - Number(before !== null)
  const person = Number(isPerson(after)) - Number(isPerson(before))
  if (came === 0 && person === 0) return {}
  const members = Math.max(0, counts.members + came)
  const people = Math.max(0, counts.people + person)
  const parts = {
    guards: [guardOf(known, FIELD.members)],
    writes: [{ field: FIELD.members, value: `${members} ${people}` }],
  }
  const type = changeOf(counts.people, people)
  const who = person > 0 ? after : before
  if (type === null || who === null) return parts
  const told = presenceNotice(type, who, tells, random)
  return { ...parts, writes: [...parts.writes, ...told.writes], deadlines: told.deadlines }
}

function changeOf(before: number, after: number): 'presence.attached' | 'presence.empty' | null {
  if (before > 0 === after > 0) return null
  return after > 0 ? 'presence.attached' : 'presence.empty'
}

function isPerson(who: Who | null): boolean {
  return who !== null && who.kind !== 'agent'
}

function countsIn(known: Known): { readonly members: number; readonly people: number } {
  const [members = '0', people = '0'] = (known.fields.get(FIELD.members) ?? '').split(' ')
  return { members: Number(members), people: Number(people) }
}
