import type { UIMessage, UIMessageChunk } from 'ai'
import type { Client } from '../../client/client.ts'
import { ClientError } from '../../client/client-error.ts'
import type { Session } from '../../client/session.ts'
import { isOver, type Run } from '../../protocol/fold/fold-run.ts'
import type { Message as SessionMessage } from '../../protocol/fold/message.ts'
import { toUiMessage, type UiMessage } from '../../protocol/formats/to-ai-sdk.ts'
import { answerOf, uiPath } from '../../protocol/formats/ui-answer.ts'
import { AnswerStream, asksPeople, type Target } from './answer-stream.ts'
import { askOf, type Ask } from './ask.ts'
import type { ObserveOptions, Reconnect, Send, TransportOptions } from './options.ts'

/** What the transport does, once its code is there. See `SessionChatTransport`. */
export class Chats<Message extends UIMessage> {
  readonly #options: TransportOptions<Message>
  readonly #client: Client
  readonly #answers = new Map<string, Set<AnswerStream>>()
  readonly #observers = new Map<string, number>()
  /** What has not changed is the same object as before. */
  readonly #shownAs = new WeakMap<SessionMessage, Message>()
  /** What a chat calls a message that was said in the place of another one. */
  readonly #names = new Map<string, string>()

  constructor(client: Client, options: TransportOptions<Message>) {
    this.#client = client
    this.#options = options
  }

  /** Sends what the chat has new, once however often. The stream fails with what that is refused with. */
  async sendMessages(send: Send<Message>): Promise<ReadableStream<UIMessageChunk>> {
    const { chatId, abortSignal } = send
    const session = await this.#live(chatId, abortSignal)
    if (session === null) return new ReadableStream({ start: (controller) => controller.close() })
    const ask = askOf(send, session.view, this.#names)
    const target: Target =
      ask.kind === 'answers'
        ? {
            run: ask.run,
            before: ask.before,
            answered: ask.answers.map(({ question }) => question),
          }
        : { input: ask.id, before: ask.kind === 'again' ? ask.before : undefined }
    return this.#follow(chatId, session, target, abortSignal, this.#say(session, ask, send))
  }

  /** The answer that is being given or waited for, from its beginning; `null`: there is none. */
  async reconnectToStream({
    chatId,
    abortSignal,
  }: Reconnect<Message>): Promise<ReadableStream<UIMessageChunk> | null> {
    const session = await this.#live(chatId, abortSignal)
    if (session === null) return null
    const { view } = session
    const { runs, inputs } = view
    // One that asks people about a tool is shown by what was loaded, and says nothing until they have answered.
    const asks = (run: Run): boolean => {
      const said = answerOf(view, run.id)
      return said !== null && asksPeople(view, run, said)
    }
    const run = [...runs.values()].findLast((one) => !isOver(one.status) && !asks(one))
    // One whose run is over may never have been taken.
    const triggers = new Set([...runs.values()].map(({ trigger }) => trigger))
    const input =
      [...inputs.keys()].findLast((id) => !triggers.has(id)) ??
      session.outbox.find(({ input, state }) => input && state !== 'failed')?.id
    const target = run === undefined ? input && { input } : { run: run.id }
    return target ? this.#follow(chatId, session, target, abortSignal) : null
  }

  /**
   * Stops the agent: the runs of the chat's session that live, or, where none does, what this page has asked for.
   * @throws ClientError the refusal; `disconnected` where nobody could be told
   */
  async stop(chatId: string): Promise<void> {
    const session = await this.#live(chatId)
    if (session === null) return
    const reason = 'stopped'
    const live = session.runs.filter(({ status }) => !isOver(status))
    await Promise.all(live.map(({ id: run }) => session.cancel({ run, reason })))
    for (const answer of this.#answers.get(chatId) ?? []) {
      if (live.length > 0 || !('input' in answer.target)) continue
      const { input } = answer.target
      const isHere = session.outbox.some(({ id }) => id === input) && session.discard(input)
      if (!isHere) await session.cancel({ input, reason })
      else answer.close()
    }
  }

  /** The messages of the session, as a chat begins with them. @throws ClientError what attaching is refused with */
  async loadMessages(chatId: string, { branch }: ObserveOptions = {}): Promise<Message[]> {
    const session = await this.#live(chatId)
    return session === null ? [] : this.#shown(session, branch)
  }

  /**
   * Tells what the session holds, whoever wrote it: at once, and whenever it has changed, at most once a frame. For a chat to show while it has no stream of
   * its own; where one is observed, what its stream cannot tell is left to that.
   * @returns what ends it
   */
  observe(
    chatId: string,
    listener: (messages: Message[]) => void,
    { branch }: ObserveOptions = {},
  ): () => void {
    const stop = new AbortController()
    let unlisten = (): void => undefined
    this.#observers.set(chatId, (this.#observers.get(chatId) ?? 0) + 1)
    const begin = async (): Promise<void> => {
      const session = await this.#live(chatId, stop.signal)
      if (session === null) return
      const tell = (): void => {
        if (session.state === 'live') listener(this.#shown(session, branch))
      }
      unlisten = session.on('change', tell)
      tell()
    }
    // What attaching is refused with is told by the client, too.
    void begin().catch(() => undefined)
    return () => {
      if (!stop.signal.aborted) this.#observers.set(chatId, (this.#observers.get(chatId) ?? 1) - 1)
      stop.abort()
      unlisten()
    }
  }

  close(): void {
    for (const answers of this.#answers.values()) for (const answer of answers) answer.close()
  }

  #shown(session: Session, branch: string | null | undefined): Message[] {
    return uiPath(session.view, branch).map((message) => {
      // What the application's own agent piped into the session has the types of its own parts.
      const shown = this.#shownAs.get(message) ?? (this.#ui(message) as unknown as Message)
      this.#shownAs.set(message, shown)
      return shown
    })
  }

  /** With a call whose input is still coming, a resume of AI SDK 6 would go on with the message, and show it twice. */
  #ui(message: SessionMessage): UiMessage {
    const shown = toUiMessage(message)
    if (this.#options.version !== 6) return shown
    return { ...shown, parts: shown.parts.filter(({ state }) => state !== 'input-streaming') }
  }

  #say(session: Session, ask: Ask, send: Send<Message>): Promise<unknown> {
    const data = { ...dataOf(send), ...(ask.kind === 'again' && ask.data) }
    const more = Object.keys(data).length > 0 ? { data } : {}
    if (ask.kind === 'prompt') {
      const { id, parts, parent } = ask
      const mode = this.#options.mode?.(send) ?? 'queue'
      return session.prompt(parts, { id, mode, ...(parent !== undefined && { parent }), ...more })
    }
    if (ask.kind === 'again') {
      const { id, parent } = ask
      return insist(session, () => session.input({ id, mode: 'queue', parent, ...more }))
    }
    return Promise.all(
      ask.answers.map(({ question, answer }) =>
        insist(session, () => session.answer(question, answer)),
      ),
    )
  }

  #follow(
    chatId: string,
    session: Session,
    target: Target,
    signal: AbortSignal | undefined,
    sent?: Promise<unknown>,
  ): ReadableStream<UIMessageChunk> {
    const { version = 7, lostMs = 60_000, cancelOnAbort = false } = this.#options
    const answers = this.#answers.get(chatId) ?? new Set()
    this.#answers.set(chatId, answers)
    const leave = (): void => {
      if (cancelOnAbort) this.stop(chatId).catch(() => undefined)
      answer.close()
    }
    const options = {
      resetStep: version === 7,
      lostMs,
      corrected: () => (this.#observers.get(chatId) ?? 0) > 0,
      ended: () => {
        answers.delete(answer)
        if (answers.size === 0) this.#answers.delete(chatId)
        unlisten()
        signal?.removeEventListener('abort', leave)
      },
    }
    const answer = new AnswerStream(session, target, options, sent)
    // A connection that is lost comes back; one that somebody closed does not, and a chat would wait for ever.
    const unlisten = this.#client.on('state', (state) => state === 'closed' && answer.close())
    answers.add(answer)
    signal?.addEventListener('abort', leave)
    if (signal?.aborted === true) leave()
    return answer.readable
  }

  /** @returns `null`: nobody waits for it any more @throws ClientError what attaching is refused with */
  async #live(chatId: string, signal?: AbortSignal): Promise<Session | null> {
    const id = (await this.#options.session?.(chatId)) ?? chatId
    if (signal?.aborted === true) return null
    const session = this.#client.session(id)
    return (await untilLive(session, signal)) ? session : null
  }
}

/** Resolves when there is a view, which may be that of before a connection was lost. @throws ClientError what attaching is refused with */
function untilLive(session: Session, signal?: AbortSignal): Promise<boolean> {
  session.attach()
  if (session.state === 'live') return Promise.resolve(true)
  return new Promise((resolve, reject) => {
    const off = [
      session.on('state', (state) => state === 'live' && end(() => resolve(true))),
      session.on('error', (error) => session.state === 'failed' && end(() => reject(error))),
    ]
    const abort = (): void => end(() => resolve(false))
    const end = (settle: () => void): void => {
      for (const stop of off) stop()
      signal?.removeEventListener('abort', abort)
      settle()
    }
    signal?.addEventListener('abort', abort)
  })
}

const PAUSE_MS = 1000

/** Again and again with the same id, until there is an answer that is one. */
async function insist<T>(session: Session, act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof ClientError) || !error.retryable) throw error
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? PAUSE_MS))
      await untilLive(session)
    }
  }
}

/** What the agent may want to know beside the words. */
function dataOf({ messages, metadata, body }: Send<UIMessage>): Record<string, unknown> {
  const last = messages.at(-1)
  const said = last?.role === 'user' ? last.metadata : undefined
  return {
    ...((metadata ?? said) !== undefined && { metadata: metadata ?? said }),
    ...(body !== undefined && { body }),
  }
}
