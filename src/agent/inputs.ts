import { AgentError } from './agent-error.ts'
import { waitingInputs, withText, type AgentInput } from './waiting-inputs.ts'
import type { RunApi } from './run-api.ts'
import type { Parent, RunBranch } from './run-branch.ts'
import type { SessionWatch } from './session-watch.ts'

export interface InputsOptions {
  /** Also those that wait for the next run. */
  readonly queued?: boolean
  /** What the agent is at when it takes one, for people to see. */
  readonly step?: string
}

type Json = Readonly<Record<string, unknown>>

/** What people send to a run while it works. [P-11.3] */
export class Inputs {
  readonly #api: RunApi
  readonly #watch: SessionWatch
  readonly #over: AbortSignal
  readonly #trigger: string | undefined
  readonly #branch: RunBranch

  /** @param trigger what the run answers is no news to it */
  constructor(
    api: RunApi,
    watch: SessionWatch,
    over: AbortSignal,
    trigger: string | undefined,
    branch: RunBranch,
  ) {
    this.#api = api
    this.#branch = branch
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
          this.#branch.follow(answerTo(input))
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
    for (const input of taken) this.#branch.follow(answerTo(input))
    return taken
  }

  /** What the run answers is taken by it, where it is an input that waits; and its messages follow that. [P-16.6] */
  async takeTrigger(): Promise<void> {
    if (this.#trigger === undefined) return
    const said = await this.#take(this.#trigger).catch((error: unknown) => {
      if (error instanceof AgentError) return error.facts
      throw error
    })
    this.#branch.answer(parentOf(said))
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
  async #deliver({ id }: AgentInput, { step }: InputsOptions): Promise<boolean> {
    try {
      await this.#take(id, step)
      return true
    } catch (error) {
      if (error instanceof AgentError && !error.retryable) return false
      throw error
    }
  }

  #take(input: string, step?: string): Promise<Json> {
    const body = { run: this.#api.run, ...(step !== undefined && { step }) }
    return this.#api.postBeside(`/inputs/${encodeURIComponent(input)}/deliver`, body, 'input')
  }
}

/** What is written to it follows its message, or the one that it names. */
function answerTo({ message, parent }: AgentInput): Parent {
  return message ?? parent
}

function parentOf({ parent }: Json): Parent {
  return parent === null || typeof parent === 'string' ? parent : undefined
}
