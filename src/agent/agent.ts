import { agentClosed } from './agent-error.ts'
import { AgentSession } from './agent-session.ts'
import { SessionApi, type ApiPorts } from './session-api.ts'

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
