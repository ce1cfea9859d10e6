import { AgentError } from './agent-error.ts'
import { waitingInputs, withText, type AgentInput } from './waiting-inputs.ts'
import type { RunApi } from './run-api.ts'
import type { SessionWatch } from './session-watch.ts'

export interface InputsOptions {
  /** Also those that wait for the next run. */
  readonly queued?: boolean
  /** What the agent is at when it takes one, for people to see. */
  readonly step?: string
}

/** What people send to a run while it works. [P-11.3] */
export class Inputs {
  readonly #api: RunApi
  readonly #watch: SessionWatch
  readonly #over: AbortSignal
  readonly #trigger: string | undefined

  /** @param trigger what the run answers is no news to it */
  constructor(api: RunApi, watch: SessionWatch, over: AbortSignal, trigger: string | undefined) {
    this.#api = api
    this.#trigger = trigger
    this.#watch = watch
    this.#over = over
  }

  /**
   * Each input as it comes, until the run is over. One counts as delivered once the loop goes on to the next or ends: a process that dies before leaves
   * it to the one that adopts the run, which sees it again.
   */
  async *[Symbol.asyncIterator](options: InputsOptions = {}): AsyncGenerator<AgentInput, void> {
    const seen = new Set<string>()
    while (!this.#over.aborted) {
      const heard = this.#watch.next((type) => type === 'input.received', this.#over)
      try {
        const waiting = await this.#list(options)
        for (const input of waiting.filter(({ id }) => !seen.has(id))) {
          if (this.#over.aborted) return
          seen.add(input.id)
          try {
            yield input
          } finally {
            await this.#deliver(input, options)
          }
        }
        if (waiting.every(({ id }) => seen.has(id))) await heard.come
      } finally {
        heard.forget()
      }
    }
  }

  /** Those that wait now, delivered: what an agent asks for between two steps. */
  async take(options: InputsOptions = {}): Promise<readonly AgentInput[]> {
    const taken: AgentInput[] = []
    for (const input of await this.#list(options)) {
      if (await this.#deliver(input, options)) taken.push(input)
    }
    return taken
  }

  /** What the run answers is taken by it, where it is an input that waits. */
  async takeTrigger(): Promise<void> {
    if (this.#trigger !== undefined) await this.#deliver({ id: this.#trigger }, {})
  }

  async #list({ queued = false }: InputsOptions): Promise<readonly AgentInput[]> {
    try {
      const inputs = await waitingInputs(this.#api.session, this.#over)
      const mine = inputs.filter(({ id, mode, run }) =>
        run === null ? mode === 'steer' || (queued && id !== this.#trigger) : run === this.#api.run,
      )
      return await withText(this.#api.session, mine, this.#over)
    } catch (error) {
      if (this.#over.aborted) return []
      throw error
    }
  }

  /** @returns `false` where another run took it, or nobody can any more */
  async #deliver({ id }: Pick<AgentInput, 'id'>, { step }: InputsOptions): Promise<boolean> {
    const path = `/inputs/${encodeURIComponent(id)}/deliver`
    try {
      await this.#api.postBeside(path, {
        run: this.#api.run,
        ...(step !== undefined && { step }),
      })
      return true
    } catch (error) {
      if (error instanceof AgentError && !error.retryable) return false
      throw error
    }
  }
}
