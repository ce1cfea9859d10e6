import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import { demand, type Grant } from './access.ts'
import type { Draft } from './new-event.ts'

/**
 * What a grant may append of these events: all of them as they are with `publish`; with `send` alone, a person's own messages and `x.*`,
 * and nothing of a message that is there already, since it may be another's; with `control`, what the assistant says too, while its subject
 * has control. [P-6.2] [P-14.2]
 * @returns the events to append, in the place of those given
 * @throws HeldlineError `session_not_found` without any right on the name, `forbidden`
 */
export function demandAppend(
  grant: Grant,
  session: SessionId,
  drafts: readonly Draft[],
): readonly Draft[] {
  if (grant.capabilities.has('publish')) {
    demand(grant, 'publish', session)
    return drafts
  }
  const { capabilities } = grant
  const controls = capabilities.has('control')
  demand(grant, controls ? 'control' : 'send', session)
  return drafts.map((draft) => {
    const allowed = (capabilities.has('send') && ownWord(draft)) || (controls && inControl(draft))
    return allowed || refuse()
  })
}

/** An application's own event, or a message that its event starts as the user's. */
function ownWord(draft: Draft): Draft | null {
  const { message } = draft
  if (message === null) return draft
  if (message.role === 'user' && message.verb === 'start') return draft
  if (message.role === 'user' && message.verb === 'complete') {
    return { ...draft, message: { ...message, verb: 'say' } }
  }
  return null
}

/** What the assistant says. Whether its author has control is known only where it is committed. */
function inControl(draft: Draft): Draft | null {
  const verb = draft.message?.verb
  const says = verb === 'start' || verb === 'extend' || verb === 'complete'
  return says ? { ...draft, asController: true } : null
}

function refuse(): never {
  throw new HeldlineError(
    'forbidden',
    'unable to publish; with send alone, only x.* and messages of the role user may be appended, with control what the assistant says',
  )
}
