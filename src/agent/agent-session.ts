import { AgentError, agentClosed, endsRun } from './agent-error.ts'
import type { Message } from '../protocol/fold/message.ts'
import { textOr } from './fields.ts'
import { latestMessages } from './latest-messages.ts'
import type { MessageOptions } from '../protocol/formats/message-writer.ts'
import { Run, type Attached } from './run.ts'
import { serve, type Served, type ServeOptions, type Turn } from './serve.ts'
import type { SessionApi } from './session-api.ts'
import { SessionWatch } from './session-watch.ts'
import { startRun, type NotStarted, type StartOptions } from './start-run.ts'
import { State } from './state.ts'

export interface RunOptions extends StartOptions {
  /**
   * What its messages have in common: `role` and `metadata`; and the `parent` of the first. Default: what the run answers; each further one follows the
   * one before.
   */
  readonly message?: MessageOptions
  /**
   * When the function throws: `fail` (default) ends the run as failed; `leave` leaves it as it is, for a caller that tries again with
   * `adopt`. Nobody coming, it is lost with its lease.
   */
  readonly onThrow?: 'fail' | 'leave'
}

/** What became of a run. */
export type RunResult<Output> =
  | {
      readonly started: true
      readonly run: string
      readonly status: 'finished'
      readonly output: Output
    }
  /** Ended against the agent's will: `cancelled`, `lost`, or `fenced` (another process holds it). */
  | { readonly started: true; readonly run: string; readonly status: string }
  /** It was there already, in other hands, or over: nothing was done. */
  | { readonly started: false; readonly run: string; readonly status: string }

/** Where the server cannot be reached, whoever closes waits no longer: the runs are lost with their leases. */
const CLOSE_WITHIN_MS = 5000

/** One session, as its agents use it. */
export class AgentSession {
  readonly id: string
  /** The session's shared values. */
  readonly state: State
  readonly #api: SessionApi
  readonly #watch: SessionWatch
  readonly #live = new Set<Run>()
  readonly #closed = new AbortController()
  #closing: Promise<void> | null = null

  /** For `Agent.session`. */
  constructor(api: SessionApi) {
    this.id = api.session
    this.state = new State(api)
    this.#api = api
    this.#watch = new SessionWatch(api)
  }

  /** Creates the session where it is not there. */
  async open(metadata?: Readonly<Record<string, unknown>>): Promise<void> {
    const body = metadata === undefined ? {} : { metadata }
    await this.#api.json({ method: 'PUT', path: '', body, expects: 'session' })
  }

  /**
   * Starts a run, lets `act` work, and records the end: what it returns is the output; when it throws, the run has failed, and this throws the same. A trigger
   * that has a run already has `started: false` at once. Resolves also when the run ended against the agent's will: then whatever `act` does is dropped.
   * @throws AgentError what a start is refused with; what `act` throws
   */
  async run<Output>(
    options: RunOptions,
    act: (run: Run) => Output | Promise<Output>,
  ): Promise<RunResult<Output>> {
    const run = await this.#start(options)
    if (!(run instanceof Run)) return { started: false, ...run }
    return this.#perform(run, act, options.onThrow ?? 'fail')
  }

  /**
   * Starts a run that is ended by hand: with `finish` or `fail`. With `await using` it fails when it is left without an end.
   * @returns `null` where it is in other hands, or over
   */
  async start(options: RunOptions = {}): Promise<Run | null> {
    const run = await this.#start(options)
    return run instanceof Run ? run : null
  }

  async #start(options: RunOptions): Promise<Run | NotStarted> {
    if (this.#closing !== null) throw agentClosed()
    const { message, onThrow: _onThrow, ...start } = options
    const held = await startRun(this.#api, start)
    if (!('epoch' in held)) return held
    const run = new Run(this.#api, held, this.#watch, {
      goOn: start.adopt === 'continue',
      trigger: start.trigger,
      message,
    })
    this.#live.add(run)
    run.over.addEventListener('abort', () => this.#live.delete(run))
    await run.takeTrigger()
    if (this.#closing !== null) await run.interrupt(agentClosed())
    return run
  }

  /**
   * Answers every input that waits with a run of its own, one after the other, until the agent or the signal ends it. Any number of processes may do the
   * same: each input has one run. A run of this agent that another process lost is taken over. What `act` throws ends its run, and not this.
   * @throws AgentError `session_not_found`: the session was removed
   */
  serve(options: ServeOptions, act: (run: Run) => unknown): Promise<void> {
    return serve(this.#served, options, act)
  }

  /** For `Agent.worker`. */
  serveUntilIdle(options: ServeOptions, act: (run: Run) => unknown, turn: Turn): Promise<void> {
    return serve(this.#served, options, act, turn)
  }

  get #served(): Served {
    const { signal: closed } = this.#closed
    return { session: this, api: this.#api, watch: this.#watch, closed }
  }

  /** The latest messages, in the order in which they were started, on whatever branch. What a model is to know is `run.history()`. */
  messages(limit = 100): Promise<readonly Message[]> {
    return latestMessages(this.#api, limit)
  }

  /** How many of each kind are attached. */
  async attached(): Promise<Attached> {
    const { attached } = await this.#api.json({ path: '/presence', expects: 'attached' })
    return attached as Attached
  }

  /** Interrupts what is under way, and waits until the end of each run is recorded, 5 s at most. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#closed.abort()
    const late = new AbortController()
    const patience = this.#api.ports.clock.after(CLOSE_WITHIN_MS, () => late.abort(agentClosed()))
    // Not for what works in them: it may not look at the signal.
    await Promise.allSettled(
      [...this.#live].map((run) => run.interrupt(agentClosed(), late.signal)),
    )
    patience.cancel()
  }

  /** @returns how the run had ended before the agent had heard of it: what was thrown then follows from that */
  async #giveUp(run: Run, error: unknown, onThrow: 'fail' | 'leave'): Promise<string | null> {
    try {
      await (onThrow === 'leave' ? run.leave() : run.fail(error))
      return null
    } catch (refusal) {
      return endOf(run, refusal)
    }
  }

  async #perform<Output>(
    run: Run,
    act: (run: Run) => Output | Promise<Output>,
    onThrow: 'fail' | 'leave',
  ): Promise<RunResult<Output>> {
    try {
      const output = await act(run)
      await run.finish(output)
      return { started: true, run: run.id, status: 'finished', output }
    } catch (error) {
      const ended = endOf(run, error) ?? (await this.#giveUp(run, error, onThrow))
      if (ended !== null) return { started: true, run: run.id, status: ended }
      throw error
    }
  }
}

/** How the run ended without this agent, if it did. What is thrown then follows from that. */
function endOf(run: Run, error: unknown): string | null {
  const reason: unknown = run.signal.aborted ? run.signal.reason : error
  if (!endsRun(reason) || !(reason instanceof AgentError)) return null
  return reason.code === 'run_over' ? textOr(reason.facts['runStatus'], 'over') : 'fenced'
}
