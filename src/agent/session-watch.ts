import type { WireEvent } from '../protocol/event.ts'
import { AgentError } from './agent-error.ts'
import { backoffMs } from './insist.ts'
import { sleep } from './sleep.ts'
import type { SessionApi } from './session-api.ts'

const WAIT_S = 25
const TIMEOUT_MS = 40_000
/** What the run writes itself comes by here too: no more requests than that. */
const PACE_MS = 200
const LIMIT = 500

/** Where the session's events are not heard: looks this often. */
const LOOK_MS = 5000

/** Something that is to be heard of. */
export interface Word {
  readonly come: Promise<void>
  forget(): void
}

type Listener = (event: WireEvent) => void

/**
 * The events of a session as they come, for its runs here that want to know at once when they are over. A hint: where it fails, heartbeats
 * and refusals say the same, only later.
 */
export class SessionWatch {
  readonly #api: SessionApi
  readonly #listeners = new Set<Listener>()
  #stop: AbortController | null = null
  #ready: Promise<void> = Promise.resolve()

  constructor(api: SessionApi) {
    this.#api = api
  }

  /** @param ready called once what happens from then on is heard, or it turned out that nothing will be @returns stops it */
  add(listener: Listener, ready: () => void = () => undefined): () => void {
    this.#listeners.add(listener)
    if (this.#stop === null) this.#start()
    void this.#ready.then(ready)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#stop?.abort()
      this.#stop = null
    }
  }

  /** The next event that wakes, or a while: listens from now on, so that nothing falls between looking and listening. */
  next(wakes: (type: string) => boolean, over: AbortSignal): Word {
    const heard = new AbortController()
    const hear = (): void => heard.abort()
    over.addEventListener('abort', hear)
    if (over.aborted) hear()
    const remove = this.add((event) => {
      if (wakes(event.type)) hear()
    })
    const { clock } = this.#api.ports
    return {
      get come() {
        return sleep(clock, LOOK_MS, heard.signal)
      },
      forget: () => {
        remove()
        over.removeEventListener('abort', hear)
      },
    }
  }

  #start(): void {
    const stop = new AbortController()
    this.#stop = stop
    this.#ready = new Promise((ready) => {
      this.#follow(stop.signal, ready)
        // Whoever may not read the session's events has its heartbeats.
        .catch(() => undefined)
        .finally(ready)
    })
  }

  async #follow(signal: AbortSignal, ready: () => void): Promise<void> {
    let position: string | null = null
    for (let failed = 0; !signal.aborted;) {
      try {
        if (position === null) {
          position = await this.#head(signal)
          ready()
        }
        position = await this.#poll(position, signal)
        failed = 0
        await sleep(this.#api.ports.clock, PACE_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        if (isLostPlace(error)) position = null
        // Anything else may be over soon: whoever gives tokens was away, say.
        else if (error instanceof AgentError && !error.retryable) throw error
        const { clock, random } = this.#api.ports
        await sleep(clock, PACE_MS + backoffMs(failed++, random), signal)
      }
    }
  }

  async #head(signal: AbortSignal): Promise<string> {
    const { head } = await this.#api.once({ path: '', expects: 'head', signal })
    return String(head)
  }

  async #poll(after: string, signal: AbortSignal): Promise<string> {
    const page = await this.#api.once({
      path: '/events',
      query: { after, wait: WAIT_S, limit: LIMIT },
      expects: 'events',
      signal,
      timeoutMs: TIMEOUT_MS,
    })
    // The shape is the contract's. [P-9.4]
    for (const event of page['events'] as readonly WireEvent[]) {
      for (const listener of this.#listeners) listener(event)
    }
    return String(page['position'])
  }
}

function isLostPlace(error: unknown): boolean {
  return error instanceof AgentError && error.code === 'position_unrecoverable'
}
