import type { InputMode } from '../protocol/input-events.ts'
import type { Part } from '../protocol/messages.ts'
import { AgentError } from './agent-error.ts'
import { sleep } from './clock.ts'
import { latestMessages } from './latest-messages.ts'
import type { RunApi } from './run-api.ts'
import type { SessionApi } from './session-api.ts'
import type { SessionWatch } from './session-watch.ts'

/** What a person sent to the agent. */
export interface AgentInput {
  readonly id: string
  readonly mode: InputMode
  /** The message that says it to people too; `null` where there is none. */
  readonly message: string | null
  /** What that message says. */
  readonly parts: readonly Part[]
  /** All of its text. */
  readonly text: string
  readonly data: unknown
  /** The subject that sent it. */
  readonly by: string
}

/** As it is listed. */
type Listed = Omit<AgentInput, 'parts' | 'text'> & { readonly run: string | null }

export interface InputsOptions {
  /** Also those that wait for the next run. */
  readonly queued?: boolean
  /** What the agent is at when it takes one, for people to see. */
  readonly step?: string
}

/** Where the session's events are not heard: looks this often. */
const LOOK_MS = 5000

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
      const heard = this.#next()
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

  /** The next word of an input, or a while. Listens from now on, so that nothing falls between looking and listening. */
  #next(): { readonly come: Promise<void>; forget(): void } {
    const heard = new AbortController()
    const hear = (): void => heard.abort()
    this.#over.addEventListener('abort', hear)
    const unwatch = this.#watch.add((event) => {
      if (event.type === 'input.received') hear()
    })
    const { clock } = this.#api.session.ports
    return {
      get come() {
        return sleep(clock, LOOK_MS, heard.signal)
      },
      forget: () => {
        unwatch()
        this.#over.removeEventListener('abort', hear)
      },
    }
  }

  async #list({ queued = false }: InputsOptions): Promise<readonly AgentInput[]> {
    try {
      const answer = await this.#api.session.json({ path: '/inputs', signal: this.#over })
      // The shape is the contract's. [P-11.3]
      const inputs = answer['inputs'] as readonly Listed[]
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

/** As far back the message of an input that waits is looked for. */
const MAX_MESSAGES = 300

async function withText(
  api: SessionApi,
  inputs: readonly Listed[],
  signal: AbortSignal,
): Promise<readonly AgentInput[]> {
  const said = inputs.some(({ message }) => message !== null)
  const messages = said ? await latestMessages(api, MAX_MESSAGES, signal) : []
  return inputs.map(({ run: _run, ...input }) => {
    const parts = messages.find(({ id }) => id === input.message)?.parts ?? []
    const text = parts.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('')
    return { ...input, parts, text }
  })
}
