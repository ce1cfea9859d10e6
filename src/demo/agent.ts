import {
  AgentError,
  createAgent,
  type Agent,
  type AgentSession,
  type Fetch,
  type Run,
} from '../agent/index.ts'
import type { Log } from '../core/log.ts'
import type { Message } from '../protocol/fold/message.ts'
import type { AgentApi } from './api.ts'
import type { Model } from './model.ts'
import { lettersOf, perform } from './perform.ts'
import { scriptedRun } from './script.ts'
import { textOf } from './transcript.ts'

const NAME = 'demo'
/** That are looked after at one time: those that people came to last. */
const MAX_SESSIONS = 200
/** Messages that the model is to know. */
const MAX_HISTORY = 40
/** Short, so that whoever kills the server sees the run stall, be lost, and go on. */
const LEASE_MS = 10_000

/**
 * The demo's agent, on the same SDK as any other: each input that people send has a run of its own. It keeps nothing to itself, so that the next
 * process takes over a run whose process died, and goes on in the middle of its sentence.
 */
export class DemoAgent {
  readonly #api: AgentApi
  readonly #agent: Agent
  readonly #model: Model | null
  readonly #log: Log
  readonly #maxSessions: number
  /** What ends each, between two runs; in the order in which people came. */
  readonly #following = new Map<string, AbortController>()
  /** Also those that are being left: a run under way ends first. */
  readonly #served = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  readonly #left = new AbortController()

  /** @param model `null`: the scripted run */
  constructor(api: AgentApi, model: Model | null, log: Log, maxSessions = MAX_SESSIONS) {
    this.#api = api
    const fetch = fetchUntil(this.#left.signal)
    this.#agent = createAgent({ url: api.url, apiKey: api.key, fetch })
    this.#model = model
    this.#log = log
    this.#maxSessions = maxSessions
  }

  /** The name of the model behind it; `null`: the scripted run. */
  get model(): string | null {
    return this.#model?.name ?? null
  }

  /** Goes on with every session that an earlier process left. Never throws. */
  async resume(prefix: string): Promise<void> {
    try {
      for (const session of await this.#api.sessions(prefix)) this.follow(session)
    } catch (error) {
      this.#log.warn('demo.resume_failed', { error })
    }
  }

  /** Looks after a session from now on, and no longer after the one that nobody has come to for longest where they are too many. */
  follow(session: string): void {
    if (this.#stop.signal.aborted) return
    const followed = this.#following.get(session) ?? this.#begin(session)
    this.#following.delete(session)
    this.#following.set(session, followed)
    if (this.#following.size <= this.#maxSessions) return
    const [oldest] = this.#following
    if (oldest === undefined) return
    this.#following.delete(oldest[0])
    oldest[1].abort()
  }

  /** @returns what ends it, between two runs */
  #begin(session: string): AbortController {
    const leave = new AbortController()
    const served = this.#serve(session, leave.signal)
      .catch((error: unknown) => {
        if (!isRemoval(error)) this.#log.warn('demo.left', { session, error })
      })
      .finally(() => {
        this.#served.delete(served)
        if (this.#following.get(session) === leave) this.#following.delete(session)
      })
    this.#served.add(served)
    return leave
  }

  /** Runs under way are left to the next process. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#served)
    this.#left.abort()
    await this.#agent.close()
  }

  #serve(id: string, left: AbortSignal): Promise<void> {
    const session = this.#agent.session(id)
    const gone = new AbortController()
    const onError = (error: unknown): void => {
      if (isRemoval(error)) gone.abort()
      else if (!this.#stop.signal.aborted) this.#log.info('demo.failed', { session: id, error })
    }
    const signal = AbortSignal.any([this.#stop.signal, left, gone.signal])
    const options = { agent: NAME, leaseMs: LEASE_MS, onThrow: 'leave', onError, signal } as const
    return session.serve(options, (run) => this.#answerOrFail(session, run))
  }

  /** Only a process that goes away leaves its run to another: what fails otherwise would fail there, too. */
  async #answerOrFail(session: AgentSession, run: Run): Promise<void> {
    try {
      await this.#answer(session, run)
    } catch (error) {
      if (!this.#stop.signal.aborted && !run.signal.aborted) await run.fail(error)
      throw error
    }
  }

  async #answer(session: AgentSession, run: Run): Promise<void> {
    const [messages, history] = await Promise.all([session.messages(), run.history(MAX_HISTORY)])
    await run.message({ metadata: { agent: this.#model?.name ?? NAME } })
    const stop = this.#stop.signal
    await unless(stop, run.pipe(heldAt(stop, this.#stream(run, history, messages))))
  }

  #stream(
    run: Run,
    history: readonly Message[],
    messages: readonly Message[],
  ): AsyncIterable<unknown> {
    const stop = this.#stop.signal
    const prompt = history.at(-1)
    if (this.#model === null || prompt === undefined) {
      const steps = scriptedRun(prompt === undefined ? '' : textOf(prompt))
      return perform(run, steps, lettersOf(run.id, messages), stop)
    }
    return this.#model.answer(history, AbortSignal.any([stop, run.signal]))
  }
}

function isRemoval(error: unknown): boolean {
  return error instanceof AgentError && error.code === 'session_not_found'
}

/** The stream, which comes to a halt when the signal fires: a stream that broke would end its message as failed. */
async function* heldAt(stop: AbortSignal, source: AsyncIterable<unknown>): AsyncGenerator {
  try {
    yield* source
  } catch (error) {
    if (stop.aborted) await new Promise(() => undefined)
    throw error
  }
}

/** @throws once the signal fires, whatever becomes of the work then */
function unless(signal: AbortSignal, work: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(new Error('the demo is closing'))
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}

/** Ends the requests that a run still waits with when it is left, such as that for the answer of a person: they would hold up the server. */
function fetchUntil(left: AbortSignal): Fetch {
  return (input, init) => {
    if (left.aborted) throw new AgentError('agent_closed', 'the demo is closed')
    return fetch(input, { ...init, signal: AbortSignal.any([left, ...signalsOf(init)]) })
  }
}

function signalsOf({ signal }: RequestInit = {}): AbortSignal[] {
  return signal === undefined || signal === null ? [] : [signal]
}
