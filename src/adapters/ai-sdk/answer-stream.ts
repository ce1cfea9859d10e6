import type { UIMessageChunk } from 'ai'
import type { Session } from '../../client/session.ts'
import type { WireEvent } from '../../protocol/event.ts'
import { isOver, type Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import type { UiMessageChunk } from '../../protocol/formats/ui-message.ts'
import { Teller } from '../../protocol/formats/ui-teller.ts'
import type { Later } from './later.ts'
import { answerOf, type More } from './plain.ts'
import { follow } from './until-live.ts'

/** What is followed: an input, which has a run sooner or later, or a run. */
export interface Target {
  readonly input?: string
  readonly run?: string
  /** The chat has this answer, and what is told goes on with it: that of the run itself, or of one before it. */
  readonly before?: Message | undefined
  /** The questions that are being answered with it: the run waits for them no more, even where that is not known here yet. */
  readonly answered?: readonly string[]
}

export interface AnswerOptions {
  /** AI SDK 6 cannot take a step back. */
  readonly version?: 6 | 7
  /** For so long, in milliseconds, a run that has lost its agent may be taken over by another one. Default 60 s. */
  readonly lostMs?: number
  readonly more: Later<More>
  /** Somebody corrects what the chat shows where it cannot be told as chunks. */
  readonly corrected: () => boolean
  readonly ended: () => void
}

/**
 * One answer as a stream of chunks, from its `start`. It reads the session's view whenever that has changed, as far as its own reader keeps up, so that lost
 * connections, and what was missed meanwhile, are none of its concern: it waits. It ends with the run; where the run waits for what people do with a tool; or
 * when nobody wants it any more, which stops nothing.
 */
export class AnswerStream {
  readonly target: Target
  readonly readable: ReadableStream<UIMessageChunk>
  readonly #session: Session
  readonly #options: AnswerOptions
  readonly #unlisten: (() => void)[]
  #teller: Teller | null = null
  #controller: ReadableStreamDefaultController<UIMessageChunk> | null = null
  /** The run that the input went to, as far as its events were seen; `null`: none, for good. */
  #fate: string | null | undefined
  #sent: boolean
  #lost: ReturnType<typeof setTimeout> | undefined
  #givenUp = false
  #giving = false
  #closed = false

  /** @param sent resolves once the input is in the log */
  constructor(session: Session, target: Target, options: AnswerOptions, sent?: Promise<unknown>) {
    this.target = target
    this.#session = session
    this.#options = options
    this.#sent = sent === undefined
    const look = (): void => this.#look()
    this.readable = new ReadableStream<UIMessageChunk>({
      start: (controller) => {
        this.#controller = controller
      },
      pull: look,
      cancel: () => {
        this.#controller = null
        this.close()
      },
    })
    this.#unlisten = [
      follow(session, look, (error) => this.close(error)),
      session.on('event', (event) => this.#heard(event)),
    ]
    if (sent) this.#lookAfter(sent.then(() => (this.#sent = true)))
  }

  #lookAfter(step: Promise<unknown>): void {
    step.then(
      () => this.#look(),
      (error: unknown) => this.close(error),
    )
  }

  /** Ends it for its reader, with an error where one is given, and stops nothing. Idempotent. */
  close(error?: unknown): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#lost)
    for (const stop of this.#unlisten) stop()
    if (error === undefined) {
      this.#controller?.close()
    } else {
      // The chat is told. What was refused, and is kept for another try, would fill the outbox.
      this.#session.discard(this.target.input ?? '')
      this.#controller?.error(error)
    }
    this.#options.ended()
  }

  #heard({ type, data }: WireEvent): void {
    if (type !== 'input.delivered' && type !== 'input.expired') return
    // The data makes sense: the cast only names its shape. One that expired has no run.
    const { input, run = null } = data as { readonly input: string; readonly run?: string }
    if (input === this.target.input) this.#fate = run
  }

  #look(): void {
    if (this.#closed || this.#giving || (this.#controller?.desiredSize ?? 0) <= 0) return
    const { input, run: named = this.#fate ?? '' } = this.target
    const { runs, controller } = this.#session.view
    // A person has the floor: what they say is no answer's, and the agent is not heard. Whoever observes shows that, and the agent when it goes on.
    if (controller !== null && this.#sent && this.#options.corrected()) return this.close()
    const run = [...runs.values()].findLast(({ trigger }) => trigger === input) ?? runs.get(named)
    if (run === undefined) return this.#withoutRun()
    // The input was taken by a run that answers another one: that is told there.
    if (input !== undefined && run.trigger !== input) {
      if (isOver(run.status)) this.close()
      return
    }
    if (run.status === 'lost' && !this.#givenUp) return this.#waitForAnother()
    clearTimeout(this.#lost)
    this.#lost = undefined
    this.#tell(run)
  }

  /** It waits, or is on its way; or there never will be a run. */
  #withoutRun(): void {
    const { view, outbox, state } = this.#session
    const { input } = this.target
    if (state !== 'live' || !this.#sent) return
    if (input !== undefined) {
      if (view.inputs.has(input) || outbox.some(({ id }) => id === input)) return
      // A run that took it unseen tells what it is worth there.
      const lives = [...view.runs.values()].some(({ status }) => !isOver(status))
      if (this.#fate === undefined && lives) return
    }
    this.#give([{ type: 'abort' }], true)
  }

  #waitForAnother(): void {
    this.#lost ??= setTimeout(() => {
      this.#givenUp = true
      this.#look()
    }, this.#options.lostMs ?? 60_000)
  }

  #tell(run: Run): void {
    const { input, before, answered } = this.target
    const { more, version } = this.#options
    const { view } = this.#session
    // A run that goes on tells of it itself.
    const message = answerOf(view, run.id, more, input === undefined ? undefined : before)
    if (message === undefined) return this.#lookAfter(more.get())
    if (message === null) {
      if (isOver(run.status)) this.#give(endOf(run), true)
      return
    }
    const teller = (this.#teller ??= new Teller((part) => more.code?.moreWords(part), {
      resetStep: version !== 6,
      from: before,
    }))
    const chunks = teller.tell(message, whyOf(run))
    if (chunks === null) return this.#begunAnew()
    const pause = more.code?.pauseFor(view, run, message, answered) ?? []
    this.#give([...chunks, ...pause], pause.length > 0 || teller.over)
  }

  /** What was told is not what was written in the end, and cannot be taken back here. */
  #begunAnew(): void {
    const { corrected, version } = this.#options
    // What AI SDK 7 takes for a disconnect, after which it resumes by itself. The hook of 6 does not pass on that a resume is a replay: there it has to end for good.
    const why = version === 6 ? '' : 'network: '
    this.close(corrected() ? undefined : new TypeError(`${why}begun anew`))
  }

  #give(chunks: readonly UiMessageChunk[], last: boolean): void {
    // They are what the schemas of the AI SDK take: tests hold them against those.
    // Whoever waits for a chunk pulls from within `enqueue`: what follows it is told here.
    this.#giving = true
    for (const chunk of chunks) {
      if (!this.#closed) this.#controller?.enqueue(chunk as UIMessageChunk)
    }
    this.#giving = false
    if (last) this.close()
  }
}

/** Where nothing was said there is no message to begin: only how it ended. */
function endOf(run: Run): readonly UiMessageChunk[] {
  if (run.status === 'finished') return [{ type: 'finish', finishReason: 'stop' }]
  if (run.status === 'cancelled') return [{ type: 'abort' }]
  return [{ type: 'error', errorText: whyOf(run) }]
}

function whyOf({ status, error }: Run): string {
  return status === 'lost' ? 'The agent was lost.' : (error?.message ?? 'The agent failed.')
}
