import { HeldlineError } from '../../protocol/errors.ts'
import type { MessageChange } from '../new-event.ts'
import { FIELD } from '../record.ts'
import type { FieldWrite, Guard } from '../store.ts'

type State = 'open' | 'completed' | 'deleted' | null

/**
 * Which messages are open, as the record has it: what a batch of message events relies on, and what it leaves. [P-3.6]
 */
export class MessageStates {
  readonly #known: ReadonlyMap<string, string | null>
  readonly #guards = new Map<string, State>()
  readonly #states = new Map<string, State>()
  /** Those of which only a replacement says anything yet. */
  readonly #guessed = new Set<string>()

  /** @param known fields that earlier attempts have shown */
  constructor(known: ReadonlyMap<string, string | null>) {
    this.#known = known
  }

  /** @throws HeldlineError `message_exists`, `message_not_found`, `message_closed` */
  change(change: MessageChange): void {
    const field = FIELD.message(change.id)
    const state = this.#stateOf(field, change)
    switch (change.verb) {
      case 'start':
        if (state !== null) throw refuse('message_exists', 'the message exists')
        return this.#set(field, 'open')
      case 'say':
        if (state !== null) throw refuse('message_exists', 'the message exists')
        return this.#set(field, 'completed')
      case 'extend':
        return this.#mustBeOpen(field, state)
      case 'complete':
        if (state !== null || change.role === null) this.#mustBeOpen(field, state)
        return this.#set(field, 'completed')
      case 'replace':
      case 'delete':
        if (state === null) throw refuse('message_not_found', 'there is no such message')
        if (state === 'deleted') throw refuse('message_closed', 'the message is deleted')
        return this.#set(field, change.verb === 'delete' ? 'deleted' : state)
    }
  }

  outcome(): { readonly guards: readonly Guard[]; readonly writes: readonly FieldWrite[] } {
    const guards: Guard[] = []
    const writes: FieldWrite[] = []
    for (const [field, equals] of this.#guards) guards.push({ field, equals })
    for (const [field, value] of this.#states) {
      if (this.#guards.get(field) !== value) writes.push({ field, value })
    }
    return { guards, writes }
  }

  #mustBeOpen(field: string, state: State): void {
    // That one which is replaced is most likely complete was a guess; what follows in the same batch knows better.
    const guessed = this.#guessed.delete(field) && state === 'completed'
    if (guessed) {
      this.#guards.set(field, 'open')
      return this.#set(field, 'open')
    }
    if (state === null) throw refuse('message_not_found', 'there is no such message')
    if (state !== 'open') throw refuse('message_closed', 'the message is not open')
  }

  #set(field: string, state: State): void {
    this.#states.set(field, state)
  }

  /** What this batch made it, else what is known, else the likely guess; whatever it is, it is guarded. */
  #stateOf(field: string, change: MessageChange): State {
    const own = this.#states.get(field)
    if (own !== undefined) return own
    const known = this.#known.get(field)
    if (known === undefined && change.verb === 'replace') this.#guessed.add(field)
    // The record holds only what this class writes.
    const state = known === undefined ? guess(change) : (known as State)
    this.#guards.set(field, state)
    this.#states.set(field, state)
    return state
  }
}

function guess(change: MessageChange): State {
  if (change.verb === 'start' || change.verb === 'say') return null
  if (change.verb === 'complete') return change.role === null ? 'open' : null
  return change.verb === 'extend' ? 'open' : 'completed'
}

function refuse(
  code: 'message_exists' | 'message_not_found' | 'message_closed',
  why: string,
): HeldlineError {
  return new HeldlineError(code, `unable to append; ${why}`)
}
