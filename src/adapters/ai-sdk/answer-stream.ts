import type { UIMessageChunk } from 'ai'
import type { Session } from '../../client/session.ts'
import type { WireEvent } from '../../protocol/event.ts'
import { isOver, type Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { isChunk } from '../../protocol/formats/piece.ts'
import { UiMessageTeller } from '../../protocol/formats/to-ai-sdk.ts'
import { answerOf } from '../../protocol/formats/ui-answer.ts'
import type { UiMessageChunk } from '../../protocol/formats/ui-message.ts'

/** What is followed: an input, which has a run sooner or later, or a run. */
export type Target = {
  /** The chat has this answer, and what is told goes on with it: that of the run itself, or of one before it. */
  readonly before?: Message | undefined
  /** The questions that are being answered with it: the run waits for them no more, even where that is not known here yet. */
  readonly answered?: readonly string[]
} & ({ readonly input: string } | { readonly run: string })

export interface AnswerOptions {
  readonly resetStep: boolean
  /** For so long a run that has lost its agent may be taken over by another one. */
  readonly lostMs: number
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
  readonly #teller: UiMessageTeller
  readonly #unlisten: (() => void)[]
  #controller: ReadableStreamDefaultController<UIMessageChunk> | null = null
  /** Where the input went, as far as its events were seen. */
  #fate: { readonly run: string | null } | null = null
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
    this.#teller = new UiMessageTeller({
      resetStep: options.resetStep,
      from: target.before ?? null,
    })
    this.readable = new ReadableStream<UIMessageChunk>({
      start: (controller) => {
        this.#controller = controller
      },
      pull: () => this.#look(),
      cancel: () => this.close(),
    })
    this.#unlisten = [
      session.on('change', () => this.#look()),
      session.on('event', (event) => this.#heard(event)),
      session.on('error', (error) => session.state === 'failed' && this.#fail(error)),
      // Whoever else used it has left.
      session.on('state', (state) => state === 'detached' && session.attach()),
    ]
    if (sent !== undefined) void this.#follow(sent)
  }

  async #follow(sent: Promise<unknown>): Promise<void> {
    try {
      await sent
      this.#sent = true
      this.#look()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Ends it for its reader, and stops nothing. Idempotent. */
  close(): void {
    this.#end(() => this.#controller?.close())
  }

  #fail(error: unknown): void {
    this.#end(() => this.#controller?.error(error))
  }

  #end(last: () => void): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#lost)
    for (const stop of this.#unlisten) stop()
    try {
      last()
    } catch {
      // Its reader has cancelled it.
    }
    this.#options.ended()
  }

  #heard({ type, data }: WireEvent): void {
    if (!('input' in this.target) || !isChunk(data) || data['input'] !== this.target.input) return
    if (type === 'input.delivered') this.#fate = { run: String(data['run']) }
    if (type === 'input.expired') this.#fate = { run: null }
  }

  #look(): void {
    if (this.#closed || this.#giving || (this.#controller?.desiredSize ?? 0) <= 0) return
    // A person has the floor: what they say is no answer's, and the agent is not heard. Whoever observes shows that, and the agent when it goes on.
    const controlled = this.#session.view.controller !== null
    if (controlled && this.#sent && this.#options.corrected()) return this.close()
    const run = this.#run()
    if (run === undefined) return this.#withoutRun()
    // The input was taken by a run that answers another one: that is told there.
    if ('input' in this.target && run.trigger !== this.target.input) {
      if (isOver(run.status)) this.close()
      return
    }
    if (run.status === 'lost' && !this.#givenUp) return this.#waitForAnother()
    clearTimeout(this.#lost)
    this.#lost = undefined
    this.#tell(run)
  }

  #run(): Run | undefined {
    const { runs } = this.#session.view
    if ('run' in this.target) return runs.get(this.target.run)
    const { input } = this.target
    const own = [...runs.values()].findLast(({ trigger }) => trigger === input)
    return own ?? runs.get(this.#fate?.run ?? '')
  }

  /** It waits, or is on its way; or there never will be a run. */
  #withoutRun(): void {
    const { inputs, runs } = this.#session.view
    const isLive = this.#session.state === 'live'
    if ('run' in this.target) return isLive ? this.#give([{ type: 'abort' }], true) : undefined
    const { input } = this.target
    const waits =
      !this.#sent || inputs.has(input) || this.#session.outbox.some(({ id }) => id === input)
    if (waits || !isLive) return
    // A run that took it unseen tells what it is worth there.
    const taken = this.#fate === null && [...runs.values()].some(({ status }) => !isOver(status))
    if (!taken) this.#give([{ type: 'abort' }], true)
  }

  #waitForAnother(): void {
    this.#lost ??= setTimeout(() => {
      this.#givenUp = true
      this.#look()
    }, this.#options.lostMs)
  }

  #tell(run: Run): void {
    // A run that goes on has it already.
    const before = 'input' in this.target ? this.target.before : null
    const message = answerOf(this.#session.view, run.id, before)
    if (message === null) {
      if (isOver(run.status)) this.#give(endOf(run), true)
      return
    }
    const chunks = this.#teller.tell(message, whyOf(run))
    if (chunks === null) return this.#begunAnew()
    const waits = asksPeople(this.#session.view, run, message, this.target.answered)
    const pause = { type: 'finish', finishReason: 'tool-calls' }
    this.#give(waits ? [...chunks, pause] : chunks, waits || this.#teller.over)
  }

  /** What was told is not what was written in the end, and cannot be taken back here. */
  #begunAnew(): void {
    if (this.#options.corrected()) return this.close()
    const why = 'the answer was begun anew; resume to read it'
    // What AI SDK 7 takes for a disconnect, after which it resumes by itself. The hook of 6 does not pass on that a resume is a replay: there it has to end for good.
    this.#fail(this.#options.resetStep ? new TypeError(`network: ${why}`) : new Error(why))
  }

  #give(chunks: readonly UiMessageChunk[], last: boolean): void {
    // They are what the schemas of the AI SDK take: tests hold them against those.
    // Whoever waits for a chunk pulls from within `enqueue`: what follows it is told here.
    this.#giving = true
    for (const chunk of chunks) {
      if (!this.#closed) this.#controller?.enqueue(chunk as unknown as UIMessageChunk)
    }
    this.#giving = false
    if (last) this.close()
  }
}

/**
 * Whether an agent has asked people about one of the calls that are shown: the chat has to be ready for what they do with it.
 * @param answered questions that do not count
 */
export function asksPeople(
  { questions }: Pick<Session['view'], 'questions'>,
  { id, status }: Run,
  { parts }: Message,
  answered: readonly string[] = [],
): boolean {
  if (status !== 'waiting') return false
  const calls = parts.filter(({ state }) => state === 'called' || state === 'approval')
  return [...questions.values()].some((question) => {
    const { data } = question
    const isOpen = question.run === id && question.status === 'open'
    if (!isOpen || answered.includes(question.id) || !isChunk(data)) return false
    const { approvalId, toolCallId } = data
    return calls.some(({ call, approval }) =>
      approvalId === undefined
        ? call === toolCallId
        : isChunk(approval) && approval['id'] === approvalId,
    )
  })
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
