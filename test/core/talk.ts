import { View } from '../../src/protocol/fold/view.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { StoredEvent } from '../../src/core/store.ts'
import type { Epoch } from '../../src/protocol/ids.ts'
import { genesis } from '../../src/protocol/position.ts'
import type { Draft } from '../../src/core/new-event.ts'
import type { FakeRandom } from '../support/fake-random.ts'
import { drafted } from './world.ts'

/** The next thing that is said in a random talk of a few messages: mostly sensible, and never about an unknown message alone. */
export function nextWord(random: FakeRandom, names = 8, prefix = 'm'): Draft {
  const message = `${prefix}${random.int(1, names)}`
  const text = random.pick(['a', 'bc', ' ', 'd\n'])
  const dice = random.fraction()
  if (dice < 0.2) return drafted('message.started', { message, role: 'assistant' })
  if (dice < 0.6) return drafted('message.delta', { message, text })
  if (dice < 0.7) return drafted('message.delta', { message, add: { type: 'tool', id: 't', text } })
  if (dice < 0.8) return drafted('message.completed', { message, metadata: { [text]: 1 } })
  if (dice < 0.9) {
    const parts = [{ type: 'text', text }]
    return drafted('message.completed', { message: `${message}x`, role: 'user', parts })
  }
  if (dice < 0.95) return drafted('message.replaced', { message, parts: [] })
  return drafted('message.deleted', { message })
}

/** All that people see, as text: equal texts are equal views. */
export function picture(view: View): string {
  return JSON.stringify([view.position, [...view.messages.values()], view.rest()])
}

/** The fold of a whole log from its start. */
export function fold(epoch: Epoch, events: readonly (StoredEvent | WireEvent)[]): View {
  return foldOn(new View(genesis(epoch)), events)
}

/** Folds what follows the view's position. */
export function foldOn(view: View, events: readonly (StoredEvent | WireEvent)[]): View {
  for (const event of events) {
    if (event.serial <= view.position.serial) continue
    const wire = 'text' in event ? (JSON.parse(event.text) as WireEvent) : event
    if (!view.apply(wire)) throw new Error(`event ${event.serial} does not follow the view`)
  }
  return view
}
