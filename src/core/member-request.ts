import type { MemberKind } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { Member } from '../protocol/event.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import type { Grant } from './access.ts'

/** Who enters: what they say of themselves, and what their credentials say. @throws HeldlineError `forbidden` when those do not allow the kind */
export function describeMember(
  request: PresenceRequest,
  grant: Grant,
  connection: string,
): Omit<Member, 'connected'> {
  const kind: MemberKind = request.kind ?? (grant.kind === 'any' ? 'agent' : grant.kind)
  if (grant.kind !== 'any' && grant.kind !== kind) {
    throw new HeldlineError(
      'forbidden',
      `unable to enter; the credentials do not allow the kind ${kind}`,
    )
  }
  return {
    member: request.member ?? connection,
    subject: grant.subject,
    kind,
    visible: request.visible ?? true,
    ...(request.status !== undefined && { status: request.status }),
    ...(request.data !== undefined && { data: request.data }),
  }
}
