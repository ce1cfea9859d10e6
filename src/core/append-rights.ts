import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import { demand, type Grant } from './access.ts'
import type { Draft } from './new-event.ts'

/**
 * Whether a grant may append these events: all of them with `publish`; with `send` alone a person's own messages and `x.*`. [P-6.2]
 * @throws HeldlineError `session_not_found` without any right on the name, `forbidden`
 */
export function demandAppend(grant: Grant, session: SessionId, drafts: readonly Draft[]): void {
  if (grant.capabilities.has('publish')) return demand(grant, 'publish', session)
  demand(grant, 'send', session)
  if (drafts.every(isOwnWord)) return
  throw new HeldlineError(
    'forbidden',
    'unable to publish; with send alone, only x.* and messages of the role user may be appended',
  )
}

/** A message that its event starts as the user's, or an application's own event. */
function isOwnWord({ message }: Draft): boolean {
  if (message === null) return true
  return (message.verb === 'start' || message.verb === 'complete') && message.role === 'user'
}
