import type { Member, WireEvent } from '../event.ts'
import type { View } from './view.ts'

/** The data makes sense, so the casts here only name its shape. */
export function foldMember(view: View, event: WireEvent): void {
  switch (event.type) {
    case 'member.entered':
    case 'member.updated': {
      const member = event.data as Member
      view.members.set(member.member, member)
      return
    }
    case 'member.left':
      view.members.delete((event.data as { member: string }).member)
  }
}
