import { AgentError } from './agent-error.ts'
import { Appender } from './appender.ts'
import { Effects, type EffectName } from './effects.ts'
import { Inputs, type InputsOptions } from './inputs.ts'
import { historyOf } from './latest-messages.ts'
import type { Message } from '../protocol/fold/message.ts'
import type { MessageOptions } from '../protocol/formats/message-writer.ts'
import { mintId } from '../sdk/mint-id.ts'
import { pipeInto, type Piped, type PipeOptions } from './pipe/pipe.ts'
import type { Pipeable } from './pipe/read-stream.ts'
import { ask, type Ask } from './questions.ts'
import { RunApi } from './run-api.ts'
import { RunBranch } from './run-branch.ts'
import { RunEnding } from './run-ending.ts'
import { RunLife } from './run-life.ts'
import { RunMessages } from './run-messages.ts'
import { runTool } from './run-tool.ts'
import type { SessionApi } from './session-api.ts'
import type { SessionWatch } from './session-watch.ts'
import type { Held } from './start-run.ts'
import { State } from './state.ts'
import type { AgentInput } from './waiting-inputs.ts'

export interface Report {
  /** What it is at, in a word or two. */
  readonly step?: string
  readonly detail?: string
  /** `stalled`: the agent itself knows that it does not get on. */
  readonly status?: 'thinking' | 'stalled'
}

/** How many members of each kind are attached to the session now. */
export interface Attached {
  readonly human: number
  readonly agent: number
  readonly supervisor: number
}

interface RunSetup {
  /** In the last open message of the earlier process. */
  readonly goOn: boolean
  readonly trigger?: string | undefined
  readonly message?: MessageOptions | undefined
}

/** What an agent does within a run. Everything is in the session as soon as it is acknowledged, whether or not anybody watches. */
export class Run {
  readonly id: string
  /** Rises with each process that takes the run. */
  readonly epoch: number
  /** An earlier process began it. */
  readonly resumed: boolean
  /** What the earlier process last said with `checkpoint`; `null` where it said nothing. */
  readonly lastCheckpoint: unknown
  /** Fires when the run is over against the agent’s will: cancelled, lost, taken over by another process, or removed with its session. The reason is an `AgentError`. */
  readonly signal: AbortSignal
  /** Fires then, and when the agent itself has ended it. */
  readonly over: AbortSignal
  readonly state: State
  readonly #api: RunApi
  readonly #life: RunLife
  readonly #appender: Appender
  readonly #messages: RunMessages
  readonly #branch: RunBranch
  readonly #effects: Effects
  readonly #inputs: Inputs
  readonly #ending: RunEnding
  #told: Promise<unknown> = Promise.resolve()

  /** For `Session.start`. */
  constructor(session: SessionApi, held: Held, watch: SessionWatch, options: RunSetup) {
    const api = new RunApi(session, held.run, held.epoch)
    const life = new RunLife(api, held.leaseMs)
    // Seqs are this process's own: one that begins anew with the same epoch has another name.
    const producer = `${held.run.slice(0, 90)}~${mintId(session.ports.clock.now())}`
    this.#appender = new Appender({
      ...session.ports,
      send: (text, seq, signal) => api.append(text, producer, seq, signal),
      onEnd: (error) => life.end(error),
    })
    const { parent, ...message } = options.message ?? {}
    const earlier = held.earlier?.messages ?? []
    const branch = new RunBranch(parent, options.goOn ? earlier.at(-1)?.id : undefined)
    this.#branch = branch
    this.#messages = new RunMessages(
      held.run,
      this.#appender,
      branch,
      message,
      earlier,
      options.goOn,
    )
    this.id = held.run
    this.epoch = held.epoch
    this.resumed = held.earlier !== null
    this.lastCheckpoint = held.earlier?.checkpoint ?? null
    this.signal = life.signal
    this.over = life.over
    this.state = new State(session)
    this.#api = api
    this.#life = life
    this.#ending = new RunEnding(api, life, () => this.flush())
    this.#effects = new Effects(api, life.signal)
    this.#inputs = new Inputs(api, watch, life.over, options.trigger, branch)
    life.signal.addEventListener('abort', () => this.#appender.stop(life.signal.reason))
    life.begin(watch)
    const deafen = watch.add((event) => this.#messages.hear(event))
    life.over.addEventListener('abort', deafen)
  }

  /** For `Session.start`: what the run answers waits no more. */
  async takeTrigger(): Promise<void> {
    // Best effort: one that goes on waiting is still not run twice.
    await this.#inputs.takeTrigger().catch(() => undefined)
  }

  /**
   * What its model is to know: the messages on the path to what the run answers, the latest of them, in order. What was answered otherwise, or asked
   * otherwise, is not among them. Where the run answers nothing in particular, those on the path of the latest message.
   */
  history(limit = 100): Promise<readonly Message[]> {
    return historyOf(this.#api.session, this.#branch.answers, limit, this.signal)
  }

  /** Adds text to the message; the first begins it. What comes within 25 ms goes together. */
  text(text: string): Promise<void> {
    return unwaited(this.#messages.addText(text))
  }

  /**
   * Writes a stream into the message, and ends the message: text or bytes, iterable or stream, or the chunks of AI SDK, AG-UI or LangGraph. A second one
   * meanwhile has a message of its own.
   * @throws AgentError `stream_failed`; what the stream throws; the reason of the signal
   */
  async pipe(stream: Pipeable, options: PipeOptions = {}): Promise<Piped> {
    this.signal.throwIfAborted()
    const message = this.#messages.take()
    const hooks = {
      step: (step: string) => this.#tell({ step: step.slice(0, 200) }),
      checkpoint: (checkpoint: unknown) => this.#tell({ checkpoint }),
    }
    try {
      return await pipeInto(message, stream, this.signal, hooks, options)
    } finally {
      this.#messages.giveBack(message)
    }
  }

  /** Ends the message; what is written next begins another one. */
  message(options: MessageOptions = {}): Promise<void> {
    return unwaited(this.#messages.next(options))
  }

  /** Shows a tool's call, and, when `act` is done, its result in the same place. @returns what `act` returns @throws what `act` throws */
  tool<T = undefined>(
    name: string,
    args: unknown,
    act?: (signal: AbortSignal) => T | Promise<T>,
  ): Promise<T | undefined> {
    return runTool(this.#messages.current, name, args, act, this.signal)
  }

  /** Tells people what it is at. */
  status(report: Report): Promise<void> {
    const told = this.#api.post('status', report, this.signal)
    return unwaited(told.then(() => undefined))
  }

  /** What a process that adopts the run needs to go on. All that was written before is in the log first. */
  async checkpoint(checkpoint: unknown): Promise<void> {
    await this.flush()
    await this.#api.post('status', { checkpoint }, this.signal)
  }

  /** How many inputs waited in the session at the last sign of life: whether asking for them is worth a request. */
  get waitingInputs(): number {
    return this.#life.waiting
  }

  /** What people send to the run, as it comes. */
  inputs(options?: InputsOptions): AsyncGenerator<AgentInput, void> {
    return this.#inputs[Symbol.asyncIterator](options)
  }

  /** What people sent so far: for between two steps. */
  takeInputs(options?: InputsOptions): Promise<readonly AgentInput[]> {
    return this.#inputs.take(options)
  }

  /** Asks people, and waits for the answer. @throws AgentError `question_closed`; the reason of the signal */
  async ask(asked: Ask): Promise<unknown> {
    await this.flush()
    return ask(this.#api, asked, this.signal)
  }

  /**
   * Makes something happen at most once, over crashes and retries; where it has, the recorded result is the answer.
   * @throws EffectUnknownError nobody can tell whether it happened
   */
  effect<T>(name: EffectName, act: () => T | Promise<T>): Promise<T> {
    // What is recorded came from `act`, of this process or an earlier one.
    return this.#effects.run(name, act) as Promise<T>
  }

  /** Who is there: to choose between every token and a word now and then. */
  async attached(): Promise<Attached> {
    const { attached } = await this.#api.session.json({
      path: '/presence',
      expects: 'attached',
      signal: this.signal,
    })
    return attached as Attached
  }

  /** Resolves when all that was written is in the log. @throws AgentError what it was refused with */
  flush(): Promise<void> {
    return this.#appender.flush()
  }

  /**
   * Ends it as finished, with all that was written before it. Again is the same. Where that is refused for good (what was written, or an output that is too
   * large), it has failed.
   * @throws AgentError `run_over`, `run_fenced`; the refusal
   */
  finish(output?: unknown): Promise<void> {
    const last = async (): Promise<void> => {
      await this.#messages.end()
      await this.#told
    }
    return this.#ending.finish(last, output)
  }

  /** Ends it as failed. After another end it changes nothing. */
  fail(reason: unknown): Promise<void> {
    return this.#ending.fail(reason)
  }

  /** No word of it any more, and no sign of life: it is left to whoever adopts it. */
  async leave(): Promise<void> {
    await this.flush().catch(() => undefined)
    this.#life.close()
  }

  /** The agent goes away: the signal fires, and the run has failed. @param late fires when nobody waits any longer for that to be recorded */
  interrupt(reason: unknown, late?: AbortSignal): Promise<void> {
    this.#life.end(reason)
    return this.#ending.fail(reason, late)
  }

  /** One that nobody ended has failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const error = new AgentError('not_finished', 'the agent left without an end')
    await this.fail(error).catch(() => undefined)
  }

  /** Best effort: what a framework says of itself on the way, in its order. */
  #tell(body: object): void {
    const post = (): Promise<unknown> => this.#api.post('status', body, this.signal)
    this.#told = this.#told.then(post).catch(() => undefined)
  }
}

/** Whoever does not wait for it hears of a failure when the run ends, or by its signal: a process is not to die of a word that came after a cancel. */
function unwaited(work: Promise<void>): Promise<void> {
  work.catch(() => undefined)
  return work
}
