import type { By } from '../protocol/event.ts'
import type { OpenEffect } from '../protocol/fold/fold-record.ts'
import type { SessionId } from '../protocol/ids.ts'
import { canonicalJson } from './canonical-json.ts'
import { run, sessionNotFound, type Transition } from './commit.ts'
import type { Hash } from './hash.ts'
import type { Keeper } from './keeper.ts'
import type { Limits } from './limits.ts'
import type { Random } from './random.ts'
import { demandSize } from './raw-data.ts'
import { FIELD } from './record.ts'
import type { Store } from './store.ts'
import { reserveEffect, type Reserved } from './transitions/effect.ts'
import {
  decideEffect,
  recordEffect,
  type Decided,
  type RecordRequest,
} from './transitions/effect-end.ts'
import {
  effectNotFound,
  effectStatus,
  parseEffect,
  type EffectRecord,
  type EffectStatus,
} from './transitions/effect-record.ts'
import type { RunClaim } from './transitions/run-record.ts'
import type { Views } from './views.ts'

export interface EffectsPorts {
  readonly store: Store
  readonly views: Pick<Views, 'at'>
  readonly random: Random
  readonly limits: Limits
  readonly keeper: Pick<Keeper, 'committed'>
  readonly hash: Hash
}

/** What an agent is about to do. */
export interface Intention {
  readonly session: SessionId
  readonly claim: RunClaim
  /** Names the effect; without it, the tool and its arguments do, within the run. */
  readonly key?: string
  readonly tool?: string
  readonly args?: unknown
  readonly idempotencyKey?: string
  readonly by: By
}

/** An effect as the record has it. */
export interface ShownEffect extends Pick<EffectRecord, 'run' | 'tool' | 'attempt' | 'result'> {
  readonly status: EffectStatus
}

/** What must not happen twice: reserved before it happens, recorded after. [P-13] */
export class Effects {
  readonly #ports: EffectsPorts

  constructor(ports: EffectsPorts) {
    this.#ports = ports
  }

  /** @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`, `session_closed`, `session_limit` */
  async reserve(intention: Intention): Promise<Reserved & { readonly effect: string }> {
    const { random, limits } = this.#ports
    const { session, claim, by, tool = null, idempotencyKey = null } = intention
    const effect = intention.key ?? this.#keyOf(intention)
    const { maxOpenEffects } = limits
    const request = { session, claim, effect, tool, by, idempotencyKey, maxOpenEffects }
    const reserved = await this.#commit(session, reserveEffect(request, random))
    return { effect, ...reserved }
  }

  /** @returns whether this very request did it @throws HeldlineError `effect_not_found`, `effect_conflict`, `payload_too_large` */
  async record(request: RecordRequest): Promise<boolean> {
    demandSize('the result', request.result, this.#ports.limits.maxEventBytes)
    return this.#commit(request.session, recordEffect(request, this.#ports.random))
  }

  /** @returns whether this very request did it @throws HeldlineError as `record` */
  async decide(
    request: { readonly session: SessionId; readonly effect: string; readonly by: By },
    decided: Decided,
  ): Promise<boolean> {
    if (decided.outcome === 'done') {
      demandSize('the result', decided.result, this.#ports.limits.maxEventBytes)
    }
    return this.#commit(request.session, decideEffect(request, decided, this.#ports.random))
  }

  /** @throws HeldlineError `session_not_found`, `effect_not_found` */
  async get(session: SessionId, effect: string): Promise<ShownEffect> {
    const fields = await this.#fields(session, FIELD.effect(effect))
    const record = parseEffect(fields.get(FIELD.effect(effect)) ?? null)
    if (record === null) throw effectNotFound()
    const status = effectStatus(record, {
      fields: await this.#fields(session, FIELD.run(record.run)),
    })
    const { run: owner, tool, attempt, result } = record
    return { run: owner, tool, attempt, result, status }
  }

  /** Those that are reserved or unknown, as the view has them. @throws HeldlineError `session_not_found` */
  async open(session: SessionId): Promise<readonly OpenEffect[]> {
    return [...(await this.#ports.views.at(session)).effects.values()]
  }

  /** The same for the same arguments in another order, and never the id of a tool call: a retry has another. */
  #keyOf({ claim, tool, args = null }: Intention): string {
    return this.#ports.hash(canonicalJson([claim.run, tool ?? null, args]))
  }

  async #fields(session: SessionId, name: string): Promise<Map<string, string | null>> {
    const fields = await this.#ports.store.fields(session, [name])
    if (fields === null) throw sessionNotFound()
    return fields
  }

  #commit<Result>(session: SessionId, transition: Transition<Result>): Promise<Result> {
    const { store, keeper } = this.#ports
    return run(store, transition, (...done) => keeper.committed(session, ...done))
  }
}
