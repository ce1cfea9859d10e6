import { demand, reaches, type Grant } from '../../core/access.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import { isOver, type Run } from '../../protocol/fold/fold-run.ts'
import type { View } from '../../protocol/fold/view.ts'
import { toUiMessage, type UiMessage } from '../../protocol/formats/to-ai-sdk.ts'
import type { ChatRequest } from '../../protocol/http-ai-sdk.ts'
import { parseSessionId, type SessionId } from '../../protocol/ids.ts'
import { uiPath } from '../../protocol/formats/ui-answer.ts'
import { RunAnswer, waitsForClient } from './answer.ts'
import { askOf, goOnOf, type Ask, type GoOn } from './intent.ts'
import { LOST_MS, type AiSdkPorts } from './ports.ts'
import { ResponseStream, type ChunkSink, type Target } from './response-stream.ts'
import type { AiSdkVersion } from './version.ts'

/** The session that a chat id names. @throws HeldlineError `invalid_session_id` */
export function sessionOf(chatId: string): SessionId {
  const session = parseSessionId(chatId)
  if (session !== null) return session
  throw new HeldlineError(
    'invalid_session_id',
    'the chat id does not have the form of a session id',
  )
}

/** Whoever is answered must be allowed to read. @throws HeldlineError `session_not_found`, `forbidden` */
export function demandReading(grant: Grant, session: SessionId): void {
  demand(grant, grant.capabilities.has('subscribe') ? 'subscribe' : 'history', session)
}

/** Sessions as the AI SDK's stock transports see them: chats, to which one sends messages and gets a stream back. [P-18] */
export class AiSdkChat {
  readonly #ports: AiSdkPorts

  constructor(ports: AiSdkPorts) {
    this.#ports = ports
  }

  /**
   * Takes what a client sends as an input, once. A session that is not there is made for its first message, where the credentials may.
   * @returns what to follow
   * @throws HeldlineError `forbidden`, `session_not_found`, `invalid_request`, `message_not_found`, what receiving an input throws
   */
  async send(grant: Grant, session: SessionId, request: ChatRequest): Promise<Target> {
    demand(grant, 'send', session)
    demandReading(grant, session)
    const view = await this.#viewOf(session)
    const by = { subject: grant.subject }
    const goOn = goOnOf(request, view)
    if (goOn !== null) return this.#goOn(session, by, goOn)
    const ask = askOf(request, view)
    if (view === null) await this.#create(grant, session)
    return { input: await this.#receive(session, by, ask) }
  }

  /**
   * What is being answered, or waits to be. [P-18.4]
   * @param last where there is nothing of it, the latest answer, over as it is: for who was cut off and comes back after its end
   * @returns `null`: nothing
   * @throws HeldlineError `forbidden`, `session_not_found`
   */
  async active(grant: Grant, session: SessionId, last: boolean): Promise<Target | null> {
    demandReading(grant, session)
    const view = await this.#viewOf(session)
    if (view === null) return null
    const live = [...view.runs.values()].findLast((run) => this.#isActive(run))
    const said = live === undefined ? null : new RunAnswer(live.id).in(view)
    // Its client is to be ready for what people do with its tools.
    if (said !== null && waitsForClient(view, live, said))
      return last && live ? { run: live.id } : null
    if (live !== undefined) return { run: live.id }
    const latest = view.messages.get(view.tip ?? '')?.run
    const input = await this.#unanswered(session, [...view.inputs.keys()])
    if (input !== null) return { input }
    return last && latest !== undefined ? { run: latest } : null
  }

  /**
   * @param sink where the chunks go, once it is open
   * @param version of the AI SDK that reads them
   */
  response(
    session: SessionId,
    target: Target,
    sink: ChunkSink,
    version?: AiSdkVersion,
  ): ResponseStream {
    return new ResponseStream(session, target, this.#ports, sink, version)
  }

  /** Stops what `active` would tell: the runs that live; where none does, what this subject has waiting. [P-18.6] */
  async stop(
    grant: Grant,
    session: SessionId,
  ): Promise<{ readonly runs: readonly string[]; readonly inputs: readonly string[] }> {
    demand(grant, 'send', session)
    const by = { subject: grant.subject }
    const view = await this.#ports.views.at(session)
    const live = [...view.runs.values()].filter((run) => this.#isActive(run))
    const waiting = live.length > 0 ? [] : [...view.inputs.values()]
    const own = waiting.filter((input) => input.by === grant.subject)
    const runs: string[] = []
    for (const { id: run } of live) {
      const { cancelled } = await this.#ports.runs.cancel({ session, run, by })
      if (cancelled) runs.push(run)
    }
    const inputs: string[] = []
    for (const { id: input } of own) {
      const { cancelled } = await this.#ports.inputs.cancel({ session, input, by })
      if (cancelled) inputs.push(input)
    }
    return { runs, inputs }
  }

  /** Stops one response: its run, or its input before it has one. */
  async cancel(grant: Grant, session: SessionId, target: Target): Promise<void> {
    demand(grant, 'send', session)
    const by = { subject: grant.subject }
    if ('run' in target) await this.#ports.runs.cancel({ session, by, run: target.run })
    else await this.#ports.inputs.cancel({ session, by, input: target.input })
  }

  /**
   * The latest messages that lead to where the session is now, for a client to begin with. [P-18.5]
   * @param maxBytes of their text together; at least one is given
   */
  async messages(
    session: SessionId,
    limit: number,
    maxBytes: number,
  ): Promise<{ readonly messages: readonly UiMessage[]; readonly more: boolean }> {
    const view = await this.#ports.views.at(session)
    const all = uiPath(view).map(toUiMessage)
    const messages: UiMessage[] = []
    let bytes = 0
    for (const message of all.toReversed().slice(0, limit)) {
      bytes += JSON.stringify(message).length
      if (bytes > maxBytes && messages.length > 0) break
      messages.unshift(message)
    }
    return { messages, more: messages.length < all.length }
  }

  /** It lives, or may be taken over still. The time is the store's: where our clock is far behind it, a lost run must not live for as long. */
  #isActive({ status, updatedAt }: Run): boolean {
    const { clock, lostMs = LOST_MS } = this.#ports
    return status === 'lost' ? Math.abs(clock.now() - updatedAt) < lostMs : !isOver(status)
  }

  /** The questions first: a run that is asked to go on must not be asked twice. */
  async #goOn(session: SessionId, by: By, { run, before, answers, ask }: GoOn): Promise<Target> {
    for (const answer of answers) await this.#ports.questions.answer({ session, by, ...answer })
    if (ask === null) return { run, before }
    return { input: await this.#receive(session, by, ask), before }
  }

  async #receive(session: SessionId, by: By, ask: Ask): Promise<string> {
    const { input } = await this.#ports.inputs.receive({ session, mode: 'queue', by, ...ask })
    return input
  }

  /** The oldest that nobody has begun to answer: an agent may never take what it answered. */
  async #unanswered(session: SessionId, inputs: readonly string[]): Promise<string | null> {
    for (const input of inputs) {
      const fate = await this.#ports.inputs.fate(session, input)
      if (fate?.status === 'waiting' && fate.run === null) return input
    }
    return null
  }

  async #viewOf(session: SessionId): Promise<View | null> {
    try {
      return await this.#ports.views.at(session)
    } catch (error) {
      if (error instanceof HeldlineError && error.code === 'session_not_found') return null
      throw error
    }
  }

  async #create(grant: Grant, session: SessionId): Promise<void> {
    const mayCreate = grant.capabilities.has('create') && reaches(grant, session)
    if (!mayCreate) {
      throw new HeldlineError('session_not_found', 'unable to send; there is no such session')
    }
    const { sessions, defaultSettings: settings } = this.#ports
    await sessions.open({ session, metadata: {}, settings, by: { subject: grant.subject } })
  }
}
