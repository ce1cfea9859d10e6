import { EffectUnknownError } from './agent-error.ts'
import { textOr } from './fields.ts'
import { mintId } from '../sdk/mint-id.ts'
import type { RunApi } from './run-api.ts'

/** What names an effect: a key of the caller's own, or the tool and its arguments, which the server makes a key of. Never a call's id. */
export type EffectName = string | { readonly tool: string; readonly args: unknown }

/** Guards what must not happen twice, over crashes and retries. [P-13] */
export class Effects {
  readonly #api: RunApi
  readonly #signal: AbortSignal
  /** Here, at this moment: who asks for the same waits for it. */
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(api: RunApi, signal: AbortSignal) {
    this.#api = api
    this.#signal = signal
  }

  /**
   * Reserves the effect, makes it happen, and records what came of it. Where it is recorded already, the recorded result is the answer.
   * When `act` throws it stays reserved: only whoever made it knows whether it happened.
   * @throws EffectUnknownError it was reserved before, and nobody can tell what became of it
   */
  run(name: EffectName, act: () => unknown): Promise<unknown> {
    const key = typeof name === 'string' ? name : JSON.stringify([name.tool, name.args])
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const work = this.#guarded(name, act).finally(() => this.#running.delete(key))
    this.#running.set(key, work)
    return work
  }

  async #guarded(name: EffectName, act: () => unknown): Promise<unknown> {
    const reserved = await this.#reserve(name)
    const effect = textOr(reserved['effect'], '')
    if (reserved['status'] === 'done') return reserved['result']
    if (reserved['status'] !== 'reserved') throw new EffectUnknownError(effect)
    const result = await act()
    // Not by the signal: what happened is to be recorded, also by a process that was fenced.
    const path = `/effects/${encodeURIComponent(effect)}/done`
    await this.#api.postBeside(path, { run: this.#api.run, result }, 'effect')
    return result
  }

  /** The key tells a request that is sent again from another one that wants the same: only the first was meant. [P-13.2] */
  #reserve(name: EffectName): Promise<Readonly<Record<string, unknown>>> {
    const named = typeof name === 'string' ? { key: name } : { tool: name.tool, args: name.args }
    const key = mintId(this.#api.session.ports.clock.now())
    const body = { run: this.#api.run, ...named }
    return this.#api.postBeside('/effects', body, 'effect', this.#signal, {
      'idempotency-key': key,
    })
  }
}
