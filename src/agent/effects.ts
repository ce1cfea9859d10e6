import { AgentError, EffectUnknownError } from './agent-error.ts'
import { insist } from './insist.ts'
import type { RunApi } from './run-api.ts'

/** What names an effect: a key of the caller's own, or the tool and its arguments, which the server makes a key of. Never a call's id. */
export type EffectName = string | { readonly tool: string; readonly args: unknown }

/** Guards what must not happen twice, over crashes and retries. [P-13] */
export class Effects {
  readonly #api: RunApi
  readonly #fresh: boolean
  readonly #signal: AbortSignal
  readonly #running = new Map<string, Promise<unknown>>()

  /** @param fresh nobody held the run with this epoch before */
  constructor(api: RunApi, fresh: boolean, signal: AbortSignal) {
    this.#api = api
    this.#fresh = fresh
    this.#signal = signal
  }

  /**
   * Reserves the effect, makes it happen, and records what came of it. Where it is recorded already, the recorded result is the answer.
   * When `act` throws it stays reserved: only whoever made it knows whether it happened.
   * @throws EffectUnknownError a process that is gone had reserved it
   */
  async run(name: EffectName, act: () => unknown): Promise<unknown> {
    const key = typeof name === 'string' ? name : JSON.stringify([name.tool, name.args])
    const running = this.#running.get(key)
    if (running !== undefined) return running
    const work = this.#guarded(name, act).finally(() => this.#running.delete(key))
    this.#running.set(key, work)
    return work
  }

  async #guarded(name: EffectName, act: () => unknown): Promise<unknown> {
    const { effect, status, result } = await this.#reserve(name)
    if (status === 'done') return result
    if (status !== 'reserved') throw new EffectUnknownError(effect)
    const made = await act()
    const path = `/effects/${encodeURIComponent(effect)}/done`
    // Not by the signal: what happened is to be recorded, also by a process that was fenced.
    await this.#api.postBeside(path, made === undefined ? {} : { result: made })
    return made
  }

  /**
   * Where the answer to an attempt was lost, the next one finds the effect in progress: by this very process, since no other holds the run
   * with this epoch, and no other call of this one is at it.
   */
  async #reserve(name: EffectName): Promise<{ effect: string; status: string; result: unknown }> {
    const named = typeof name === 'string' ? { key: name } : { tool: name.tool, args: name.args }
    const body = { run: this.#api.run, ...named }
    let lost = false
    const attempt = async (): Promise<Readonly<Record<string, unknown>>> => {
      try {
        return await this.#api.postBesideOnce('/effects', body, this.#signal)
      } catch (error) {
        lost ||= error instanceof AgentError && error.retryable
        throw error
      }
    }
    const answer = await insist(this.#api.session.ports, attempt, this.#signal)
    const status = String(answer['status'])
    const mine = status === 'in_progress' && lost && this.#fresh
    return {
      effect: String(answer['effect']),
      status: mine ? 'reserved' : status,
      result: answer['result'],
    }
  }
}
