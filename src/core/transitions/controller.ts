import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { Controller } from '../../protocol/record-events.ts'
import type { Draft, MessageChange } from '../new-event.ts'

export function parseController(text: string | null): Controller | null {
  // The record holds only what `takeControl` writes.
  return text === null ? null : (JSON.parse(text) as Controller)
}

/**
 * What an event may do to its message while somebody has control: all of it where it is the controller's own, else only what a user says
 * anew, and nothing of a message that is there already. [P-14.1]
 * @throws HeldlineError `not_controller`
 */
export function heard(draft: Draft, controller: Controller | null, by: By): MessageChange | null {
  const { message, asController } = draft
  if (message === null) return null
  if (controller === null) {
    if (asController !== true) return message
    throw new HeldlineError('not_controller', 'unable to append; take control first')
  }
  if (speaks(controller, by)) return message
  const { role, verb } = message
  if (asController !== true && role === 'user') {
    if (verb === 'start' || verb === 'say') return message
    if (verb === 'complete') return { ...message, verb: 'say' }
  }
  throw notController(controller)
}

/** A person who has control speaks for themselves: not what runs under the same credentials. */
function speaks(controller: Controller, { subject, run }: By): boolean {
  return controller.subject === subject && (run === undefined || controller.kind === 'agent')
}

export function notController({ subject }: Controller): HeldlineError {
  return new HeldlineError('not_controller', 'unable to go on; somebody else has control', {
    facts: { subject },
  })
}
