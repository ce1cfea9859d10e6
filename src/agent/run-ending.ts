import { AgentError, endsRun } from './agent-error.ts'
import type { RunApi } from './run-api.ts'
import { failureOf } from './run-failure.ts'
import type { RunLife } from './run-life.ts'

/** How a run ends by its own agent: once, as finished or as failed. [P-10.7] */
export class RunEnding {
  readonly #api: RunApi
  readonly #life: RunLife
  readonly #flush: () => Promise<void>
  #ending: Promise<void> | null = null
  #failed: Error | null = null

  /** @param flush resolves when all that was written is in the log */
  constructor(api: RunApi, life: RunLife, flush: () => Promise<void>) {
    this.#api = api
    this.#life = life
    this.#flush = flush
  }

  /** @param last ends what is being written */
  finish(last: () => Promise<void>, output: unknown): Promise<void> {
    if (this.#failed !== null) return Promise.reject(this.#failed)
    this.#ending ??= this.#finish(last, output === undefined ? {} : { output })
    return this.#ending
  }

  /** @param late fires when nobody waits any longer for that to be recorded */
  fail(reason: unknown, late?: AbortSignal): Promise<void> {
    if (this.#ending !== null) return this.#ending
    this.#failed = reason instanceof Error ? reason : new Error('failed')
    this.#ending = this.#fail(reason, late)
    return this.#ending
  }

  async #finish(last: () => Promise<void>, body: object): Promise<void> {
    try {
      await last()
      await this.#flush()
      await this.#end(body)
    } catch (error) {
      const isLive = !this.#life.signal.aborted && !endsRun(error)
      // One that only may have been heard is not taken back.
      const isRefused = !(error instanceof AgentError && error.retryable)
      if (isLive && isRefused) await this.#fail(error)
      throw error
    } finally {
      this.#life.close()
    }
  }

  async #fail(reason: unknown, late?: AbortSignal): Promise<void> {
    try {
      await this.#flush()
    } catch {
      // What it wrote last is missing: that it failed is still to be said.
    }
    try {
      await this.#end({ error: failureOf(reason) }, late)
    } finally {
      this.#life.close()
    }
  }

  async #end(body: object, late?: AbortSignal): Promise<void> {
    this.#life.deafen()
    try {
      // Not by the run's signal: the end is to be recorded, whatever the agent was told meanwhile.
      await this.#api.post('finish', body, late)
    } catch (error) {
      if (endsRun(error)) this.#life.end(error)
      throw error
    }
  }
}
