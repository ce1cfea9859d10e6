import { agentClosed } from './agent-error.ts'
import { AgentSession } from './agent-session.ts'
import type { Run } from './run.ts'
import { SessionApi, type ApiPorts } from './session-api.ts'
import { Worker, type WorkerOptions } from './worker.ts'

/** A process that works in sessions. */
export class Agent {
  readonly #ports: ApiPorts
  readonly #sessions = new Map<string, AgentSession>()
  #closing: Promise<void> | null = null

  /** For `createAgent`. */
  constructor(ports: ApiPorts) {
    this.#ports = ports
  }

  /** The same object for the same id. Costs nothing until something runs. */
  session(id: string): AgentSession {
    if (this.#closing !== null) throw agentClosed()
    const known = this.#sessions.get(id)
    if (known !== undefined) return known
    const session = new AgentSession(new SessionApi(id, this.#ports))
    this.#sessions.set(id, session)
    return session
  }

  /**
   * Answers what waits in whatever sessions it is told of, by a webhook say: whichever process is told takes it, so that nobody needs to know where a session's
   * agent is. `act` as with `AgentSession.serve`.
   */
  worker(options: WorkerOptions, act: (run: Run, session: AgentSession) => unknown): Worker {
    return new Worker((id) => this.session(id), options, act)
  }

  /** Interrupts every run under way, and waits until each is recorded as failed. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#sessions.values()].map((one) => one.close())).then(
      () => undefined,
    )
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
