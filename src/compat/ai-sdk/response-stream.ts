import type { Timer } from '../../core/clock.ts'
import { expected } from '../../core/error-frame.ts'
import { errorRow, type HeldlineError } from '../../protocol/errors.ts'
import { isOver, type Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import type { View } from '../../protocol/fold/view.ts'
import { UiMessageTeller, type UiMessageChunk } from '../../protocol/formats/to-ai-sdk.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { RunAnswer, waitsForClient } from './answer.ts'
import { LOST_MS, type AiSdkPorts } from './ports.ts'
import { chunkFor, type AiSdkVersion } from './version.ts'
import { Watch } from './watch.ts'

/** What is followed: the run, or the input that will have one. */
export type Target = {
  /** The reader has this answer, and the run goes on with it: only what follows is told. */
  readonly before?: Message
} & ({ readonly run: string } | { readonly input: string })

/** Where the chunks go. */
export interface ChunkSink {
  /** Whether there is room. Without it nothing is told until `pump`. */
  ready(): boolean
  chunk(chunk: UiMessageChunk): void
  /** All is told. */
  end(): void
  /** There is nothing to tell from any more: the session was removed. */
  fail(error: HeldlineError): void
  /** What was told has come to be otherwise: only who begins anew can be told. The reader is cut off, so that it resumes. */
  cut(): void
}

type Ports = Pick<AiSdkPorts, 'hub' | 'views' | 'inputs' | 'clock' | 'log' | 'lostMs'>

/** After a look that failed. */
const LOOK_AGAIN_MS = 1000

/**
 * One response: what a run says, from its first word, as chunks. Whatever happens in the session makes it look at the view, and tell what is new there
 * since the last look; the first look is the replay. A reader without room is told later, and then at once all that came meanwhile. [P-18.4]
 */
export class ResponseStream {
  readonly #session: SessionId
  readonly #ports: Ports
  readonly #sink: ChunkSink
  readonly #version: AiSdkVersion
  readonly #teller: UiMessageTeller
  readonly #before: Message | null
  readonly #input: string | null
  #run: { readonly id: string; readonly answer: RunAnswer } | null = null
  #watch: Watch | null = null
  #pending: UiMessageChunk[] = []
  #told = false
  #state: 'looking' | 'complete' | 'closed' = 'looking'
  /** A look is under way; `again`: something happened that it may have missed. */
  #look: 'no' | 'yes' | 'again' = 'no'
  /** Something happened that waits for room. */
  #behind = false
  #retry: Timer | null = null
  /** While a run waits for an agent that takes it over. */
  #lost: Timer | null = null
  /** The loss that it was made for, by the time that the view gives it. */
  #lostAt: number | null = null
  /** What was seen to live was lost since. */
  #seenAlive = false

  constructor(
    session: SessionId,
    target: Target,
    ports: Ports,
    sink: ChunkSink,
    version: AiSdkVersion = 7,
  ) {
    this.#session = session
    this.#ports = ports
    this.#sink = sink
    this.#version = version
    this.#teller = new UiMessageTeller({ from: target.before, resetStep: version !== 6 })
    this.#input = 'input' in target ? target.input : null
    // The run whose answer it is tells of it itself.
    this.#before = 'input' in target ? (target.before ?? null) : null
    if ('run' in target) this.#follow(target.run)
  }

  /** The run, once it is known. */
  get run(): string | null {
    return this.#run?.id ?? null
  }

  /** Begins. @throws HeldlineError `session_not_found`, `draining`, what the store throws */
  async open(): Promise<void> {
    const watch = await Watch.open(this.#ports.hub, this.#session, () => this.#lookSoon())
    if (this.#state === 'closed') return watch.close()
    this.#watch = watch
    this.#lookSoon()
  }

  /** The reader has room again. */
  pump(): void {
    this.#flush()
    if (this.#behind && this.#sink.ready()) this.#lookSoon()
  }

  /** Nothing is told any more. Idempotent; says nothing to anybody, and stops no run. */
  close(): void {
    this.#state = 'closed'
    this.#pending = []
    this.#retry?.cancel()
    this.#lost?.cancel()
    this.#watch?.close()
    this.#watch = null
  }

  #follow(run: string): void {
    this.#run = { id: run, answer: new RunAnswer(run, this.#before) }
  }

  #lookSoon(): void {
    if (this.#state !== 'looking') return
    this.#behind = this.#pending.length > 0 || !this.#sink.ready()
    if (this.#behind) return
    if (this.#look !== 'no') {
      this.#look = 'again'
      return
    }
    this.#look = 'yes'
    void this.#lookNow().finally(() => {
      const again = this.#look === 'again'
      this.#look = 'no'
      if (again) this.#lookSoon()
    })
  }

  async #lookNow(): Promise<void> {
    try {
      const neverRuns = this.#run === null && (await this.#findRun())
      const view = await this.#freshView()
      if (this.#state !== 'looking') return
      this.#tell(view, neverRuns)
      this.#watch?.seen(view.position)
    } catch (error) {
      this.#failed(expected(error))
    }
  }

  /** The first view may have been on its way since before the run began. One that is asked for afterwards has not. */
  async #freshView(): Promise<View> {
    const { views } = this.#ports
    const view = await views.at(this.#session)
    const known = this.#run === null || view.runs.has(this.#run.id)
    return known ? view : views.at(this.#session)
  }

  /** @returns whether there will never be one */
  async #findRun(): Promise<boolean> {
    if (this.#input === null) return true
    const fate = await this.#ports.inputs.fate(this.#session, this.#input)
    if (fate === null || fate.run === null) return fate?.status !== 'waiting'
    this.#follow(fate.run)
    return false
  }

  /** The view is shared: read in this turn. */
  #tell(view: View, neverRuns: boolean): void {
    const run = this.#run === null ? undefined : view.runs.get(this.#run.id)
    if (run?.status === 'lost' && this.#mayBeAdopted(run)) return
    this.#seenAlive ||= run !== undefined
    const message = this.#run?.answer.in(view) ?? null
    // A run that the view has forgotten ended long ago.
    const over = neverRuns || (this.#run !== null && (run === undefined || isOver(run.status)))
    const chunks = message === null ? [] : this.#teller.tell(message, whyOf(run))
    if (chunks === null) {
      this.#sink.cut()
      return this.close()
    }
    this.#pending.push(...chunks)
    const waits = message !== null && waitsForClient(view, run, message)
    if (waits) this.#pending.push({ type: 'finish', finishReason: 'tool-calls' })
    else if (over && !this.#teller.over) this.#pending.push(...endOf(run))
    if (over || waits) this.#state = 'complete'
    this.#flush()
  }

  /**
   * Another agent may go on with it: for a while, nothing is told of its loss. The view has the time of the store, whose clock may be far from ours: what
   * we have seen ourselves is counted by ours alone, and nothing is waited for twice.
   */
  #mayBeAdopted({ updatedAt }: Run): boolean {
    if (this.#lostAt !== updatedAt) {
      const { clock, lostMs = LOST_MS } = this.#ports
      const sinceMs = this.#seenAlive ? 0 : Math.abs(clock.now() - updatedAt)
      this.#lostAt = updatedAt
      this.#lost?.cancel()
      this.#lost = sinceMs < lostMs ? clock.after(lostMs - sinceMs, () => this.#giveUp()) : null
    }
    return this.#lost !== null
  }

  #giveUp(): void {
    this.#lost = null
    this.#lookSoon()
  }

  #flush(): void {
    while (this.#pending.length > 0 && this.#sink.ready()) {
      const next = this.#pending.shift()
      const chunk = next === undefined ? null : chunkFor(this.#version, next)
      if (chunk !== null) this.#sink.chunk(chunk)
    }
    if (this.#state !== 'complete' || this.#pending.length > 0 || this.#told) return
    this.#told = true
    this.#sink.end()
    this.close()
  }

  /** The store may be back in a moment, and the reader has lost nothing meanwhile; a session that is gone stays gone. */
  #failed(error: HeldlineError): void {
    if (this.#state !== 'looking') return
    const isOurs = error.code === 'internal'
    if (!isOurs && !errorRow(error.code).retryable) {
      this.#sink.fail(error)
      return this.close()
    }
    this.#ports.log[isOurs ? 'error' : 'info']('ai_sdk.look_failed', {
      session: this.#session,
      error,
    })
    this.#retry = this.#ports.clock.after(LOOK_AGAIN_MS, () => this.#lookSoon())
  }
}

/** Where nothing was said there is no message to begin: only how it ended. */
function endOf(run: Run | undefined): readonly UiMessageChunk[] {
  if (run?.status === 'failed' || run?.status === 'lost')
    return [{ type: 'error', errorText: whyOf(run) }]
  if (run?.status === 'finished') return [{ type: 'finish', finishReason: 'stop' }]
  return [{ type: 'finish', finishReason: 'interrupted' }, { type: 'abort' }]
}

function whyOf(run: Run | undefined): string {
  if (run?.status === 'lost') return 'the agent was lost'
  return run?.error?.message ?? 'the agent failed'
}
