import type { AgentSession } from './agent-session.ts'
import type { Run } from './run.ts'
import type { ServeOptions, Turn } from './serve.ts'

export interface WorkerOptions extends Omit<ServeOptions, 'concurrency' | 'signal'> {
  /** So many runs it works at at once, over all sessions; one a session. Default 10. */
  readonly concurrency?: number
}

const CONCURRENCY = 10

interface Taken {
  /** Told of again, after it may have looked for the last time. */
  again: boolean
  readonly done: Promise<void>
}

/** Works in many sessions, for as long as there is something to do in them. */
export class Worker {
  readonly #sessionOf: (id: string) => AgentSession
  readonly #options: ServeOptions
  readonly #act: (run: Run, session: AgentSession) => unknown
  readonly #taken = new Map<string, Taken>()
  readonly #waiting: (() => void)[] = []
  #free: number

  /** For `Agent.worker`. */
  constructor(
    sessionOf: (id: string) => AgentSession,
    { concurrency = CONCURRENCY, ...options }: WorkerOptions,
    act: (run: Run, session: AgentSession) => unknown,
  ) {
    this.#sessionOf = sessionOf
    this.#options = options
    this.#act = act
    this.#free = concurrency
  }

  /**
   * Answers every input that waits in the session, one after the other, and goes on with a run of the agent that was lost there. Any number of processes may
   * take the same session. Resolves when nothing is left to do there; while a run of the agent lives elsewhere, it waits, so as to be there when that is lost.
   * @throws AgentError why the session could not be asked; `agent_closed`
   */
  async take(id: string): Promise<void> {
    const taken = this.#taken.get(id)
    if (taken !== undefined) {
      taken.again = true
      return taken.done
    }
    const session = this.#sessionOf(id)
    const fresh = { again: true, done: Promise.resolve() }
    this.#taken.set(id, fresh)
    fresh.done = this.#serve(session, fresh)
    return fresh.done
  }

  async #serve(session: AgentSession, taken: { again: boolean }): Promise<void> {
    try {
      while (taken.again) {
        taken.again = false
        await session.serveUntilIdle(this.#options, (run) => this.#act(run, session), this.#turn)
      }
    } finally {
      this.#taken.delete(session.id)
    }
  }

  readonly #turn: Turn = async (act) => {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await act()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
