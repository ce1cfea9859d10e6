import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import { run, sessionNotFound } from './commit.ts'
import type { Keeper } from './keeper.ts'
import type { Limits } from './limits.ts'
import { patchText, type Patch } from './patch-text.ts'
import type { Random } from './random.ts'
import { FIELD } from './record.ts'
import type { Store } from './store.ts'
import {
  changeState,
  type StateChange,
  type StateChanged,
  type StateRequest,
} from './transitions/state.ts'
import { parseStateIndex, parseStateText } from './transitions/state-record.ts'
import { Turns } from './turns.ts'

export interface StatePorts {
  readonly store: Pick<Store, 'commit' | 'fields'>
  readonly random: Random
  readonly limits: Limits
  readonly keeper: Pick<Keeper, 'committed'>
}

/** A key that is set: its value is the text that came. */
export interface StateValue {
  readonly key: string
  readonly version: number
  readonly value: string
}

type Change = Omit<StateRequest, 'limits'>

/** How often the keys may change while all of them are read. */
const MAX_READS = 5

/** A session's shared state: versioned JSON values by key. [P-12] */
export class SharedState {
  readonly #ports: StatePorts
  readonly #turns = new Turns()

  constructor(ports: StatePorts) {
    this.#ports = ports
  }

  /** @throws HeldlineError `session_not_found`, `state_not_found` */
  async get(session: SessionId, key: string): Promise<StateValue> {
    const fields = await this.#fields(session, [FIELD.state(key)])
    const { version, value } = parseStateText(fields.get(FIELD.state(key)) ?? null)
    if (value === null) throw new HeldlineError('state_not_found', 'there is no such key')
    return { key, version, value }
  }

  /** Every key that is set, as they are at one moment. @throws HeldlineError `session_not_found`, `contention` */
  async all(session: SessionId): Promise<readonly StateValue[]> {
    let fields = await this.#fields(session, [FIELD.stateIndex])
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const index = fields.get(FIELD.stateIndex) ?? null
      const keys = [...parseStateIndex(index).keys()]
      fields = await this.#fields(session, [FIELD.stateIndex, ...keys.map(FIELD.state)])
      if ((fields.get(FIELD.stateIndex) ?? null) !== index) continue
      return keys.map((key) => {
        const { version, value } = parseStateText(fields.get(FIELD.state(key)) ?? null)
        return { key, version, value: value ?? 'null' }
      })
    }
    throw new HeldlineError('contention', 'unable to read; the keys changed each time', {
      retryAfterMs: 100,
    })
  }

  /** @throws HeldlineError `session_closed`, `version_conflict`, `session_limit`, `payload_too_large` */
  set(request: Change, value: string): Promise<StateChanged> {
    return this.#change(request, () => value)
  }

  /** @throws HeldlineError as `set`, and `patch_failed`, `state_not_found` */
  patch(request: Change, patch: Patch): Promise<StateChanged> {
    const { maxEventBytes } = this.#ports.limits
    return this.#change(request, (before) => patchText(before, patch, maxEventBytes))
  }

  /** A key that is not set stays so. @throws HeldlineError `session_closed`, `version_conflict` */
  remove(request: Change): Promise<StateChanged> {
    return this.#change(request, () => null)
  }

  #change(request: Change, change: StateChange): Promise<StateChanged> {
    const { store, random, limits, keeper } = this.#ports
    const { session } = request
    const transition = changeState({ ...request, limits }, change, random)
    return this.#turns.run(session, () =>
      run(store, transition, (...done) => keeper.committed(session, ...done)),
    )
  }

  async #fields(
    session: SessionId,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, string | null>> {
    const fields = await this.#ports.store.fields(session, names)
    if (fields === null) throw sessionNotFound()
    return fields
  }
}
