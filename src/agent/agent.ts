import { agentClosed } from './agent-error.ts'
import { AgentSession } from './agent-session.ts'
import type { Run } from './run.ts'
import { SessionApi, type ApiPorts } from './session-api.ts'
import { Worker, type WorkerOptions } from './worker.ts'

/** A process that works in sessions. */
export class Agent {
  readonly #ports: ApiPorts
  /** Weakly: one that nobody holds and nothing runs in is forgotten, however many a process comes to see. */
  readonly #sessions = new Map<string, WeakRef<AgentSession>>()
  readonly #forgotten = new FinalizationRegistry<string>((id) => {
    if (this.#sessions.get(id)?.deref() === undefined) this.#sessions.delete(id)
  })
  #closing: Promise<void> | null = null

  /** For `createAgent`. */
  constructor(ports: ApiPorts) {
    this.#ports = ports
  }

  /** The same object for the same id, for as long as somebody holds it. Costs nothing until something runs. */
  session(id: string): AgentSession {
    if (this.#closing !== null) throw agentClosed()
    const known = this.#sessions.get(id)?.deref()
    if (known !== undefined) return known
    const session = new AgentSession(new SessionApi(id, this.#ports))
    this.#sessions.set(id, new WeakRef(session))
    this.#forgotten.register(session, id)
    return session
  }

  /**
   * Answers what waits in whatever sessions it is told of, by a webhook say: whichever process is told takes it, so that nobody needs to know where a session's
   * agent is. `act` as with `AgentSession.serve`.
   */
  worker(options: WorkerOptions, act: (run: Run, session: AgentSession) => unknown): Worker {
    return new Worker((id) => this.session(id), options, act)
  }

  /** Interrupts every run under way, and waits until each is recorded as failed, 5 s at most. Idempotent. */
  close(): Promise<void> {
    const open = [...this.#sessions.values()].flatMap((one) => one.deref() ?? [])
    this.#closing ??= Promise.all(open.map((one) => one.close())).then(() => undefined)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
