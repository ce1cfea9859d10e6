import type { WireEvent } from '../protocol/event.ts'
import { AgentError, endsRun, isRemoval } from './agent-error.ts'
import type { Timer } from '../sdk/clock.ts'
import { numberOr } from './fields.ts'
import type { RunApi } from './run-api.ts'
import type { SessionWatch } from './session-watch.ts'
import type { Beats } from './socket/socket-later.ts'

const BEATS_A_LEASE = 5
/** So often at least where there is a socket: one that is dead without a word is found out before the server finds out. */
const SOCKET_BEAT_MS = 10_000
/** After the loss of a socket, which is about to count as the loss of the agent. */
const SOON_MS = 1000
const OVER = new Set(['run.cancelled', 'run.lost', 'run.finished', 'run.failed'])

/**
 * Keeps a run alive while its agent works, and tells the agent when it is no longer its own: by the answer to a heartbeat, by a refusal, or by what
 * the session's events say, whichever comes first.
 */
export class RunLife {
  readonly #api: RunApi
  readonly #leaseMs: number
  readonly #abort = new AbortController()
  readonly #over = new AbortController()
  #timer: Timer | null = null
  #unwatch: (() => void) | null = null
  #letGo: (() => void) | undefined
  /** The latest beat, until it is answered. */
  #flight: Promise<unknown> | null = null
  /** How many inputs waited at the last sign of life. */
  waiting = 0
  /** What is heard of its end may be its own word. */
  #deaf = false
  #closed = false

  constructor(api: RunApi, leaseMs: number) {
    this.#api = api
    this.#leaseMs = leaseMs
  }

  /** Fires when the run is over, or not this process's, against the agent's will. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Fires then, and when the agent itself has ended it. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  /** The first heartbeat follows the moment from which events are heard: so there is no gap between the two. */
  begin(watch: SessionWatch): void {
    this.#schedule()
    this.#letGo = this.#socket?.hold((open) => {
      if (open) this.#standFor()
      // Not all runs of the process in one moment.
      else this.#schedule(SOON_MS * (0.5 + this.#api.session.ports.random()))
    })
    this.#unwatch = watch.add(
      (event) => this.#hear(event),
      () => void this.#beat(),
    )
  }

  /** This process ends the run: what it hears of that is its own word. The signs of life go on until the end is known. */
  deafen(): void {
    this.#deaf = true
    this.#unwatch?.()
  }

  /** The run is over, or not this process's: the signal fires. Idempotent; the first reason stays. */
  end(reason: unknown): void {
    if (this.#closed) return
    this.close()
    this.#abort.abort(reason)
  }

  /** No more signs of life, and no word of it. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#unwatch?.()
    this.#letGo?.()
    this.#over.abort()
  }

  get #socket(): Beats | undefined {
    return this.#api.session.ports.socket
  }

  #schedule(maxMs = this.#socket === undefined ? Infinity : SOCKET_BEAT_MS): void {
    if (this.#closed) return
    const { clock } = this.#api.session.ports
    this.#timer?.cancel()
    const ms = Math.min(maxMs, this.#leaseMs / BEATS_A_LEASE)
    this.#timer = clock.after(ms, () => void this.#beat())
  }

  /** From now on the socket stands for this process: also where a heartbeat over HTTP, which is still on its way, would take the run back from it. */
  #standFor(): void {
    const again = (): void => void this.#beat()
    this.#flight?.then(again, again)
    again()
  }

  async #beat(): Promise<void> {
    if (this.#closed) return
    this.#schedule()
    const flight = this.#api.beat(this.signal)
    this.#flight = flight
    try {
      const { live, status, inputs } = await flight
      this.waiting = numberOr(inputs, 0)
      if (live === false && !this.#deaf) this.end(runOver(String(status)))
    } catch (error) {
      // Anything else is tried again with the next beat; a lease has several.
      if (endsRun(error) || isRemoval(error)) this.end(error)
    } finally {
      if (this.#flight === flight) this.#flight = null
    }
  }

  #hear(event: WireEvent): void {
    // The shape is the contract's. [P-10.11]
    const { run, epoch } = event.data as { readonly run?: string; readonly epoch?: number }
    if (run !== this.#api.run) return
    if (OVER.has(event.type)) return this.end(runOver(event.type.slice('run.'.length)))
    if (event.type === 'run.resumed' && epoch !== undefined && epoch > this.#api.epoch) {
      this.end(
        new AgentError('run_fenced', 'unable to go on; another process holds the run', {
          facts: { epoch },
        }),
      )
    }
  }
}

function runOver(status: string): AgentError {
  return new AgentError('run_over', `unable to go on; the run is ${status}`, {
    facts: { runStatus: status },
  })
}
