import type { ChatTransport, UIMessage, UIMessageChunk } from 'ai'
import type { Client } from '../../client/client.ts'
import { createClient } from '../../client/create-client.ts'
import type { Session } from '../../client/session.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { Message as SessionMessage } from '../../protocol/fold/message.ts'
import type { UiMessage } from '../../protocol/formats/ui-message.ts'
import { said, uiMessageOf } from '../../protocol/formats/ui-units.ts'
import { AnswerStream, type Target } from './answer-stream.ts'
import { askOf, promptOf, type WithData } from './ask.ts'
import type { Kit } from './ask-again.ts'
import { Later } from './later.ts'
import type { ObserveOptions, Reconnect, Send, SessionChatTransportOptions } from './options.ts'
import { pathOf } from './plain.ts'
import { follow, untilLive } from './until-live.ts'

const kit: Kit = { isOver, promptOf, untilLive }

/**
 * Sessions as the transport of `useChat`. Lost connections are seen to within: no stream ends or fails by them. An answer goes on whoever watches it; it is
 * resumed from its beginning, which the AI SDK is told. What few chats need is fetched where it comes to that.
 */
export class SessionChatTransport<
  Message extends UIMessage = UIMessage,
> implements ChatTransport<Message> {
  readonly resumeStreamIsReplay = true
  readonly #options: SessionChatTransportOptions<Message>
  readonly #client: Client
  readonly #answers = new Set<AnswerStream>()
  /** What this page has asked for last, or waited for, with its chat: also where nobody here watches it any more. */
  readonly #asked = new Map<string, string>()
  /** The chats that are observed, by who does. */
  readonly #observers = new Map<object, string>()
  /** The sessions of the chats that came here last. */
  readonly #used = new Set<Session>()
  /** What has not changed is the same object as before. */
  readonly #shownAs = new WeakMap<SessionMessage, Message>()
  /** What a chat calls a message that was said in the place of another one. */
  readonly #names = new Map<string, string>()
  readonly #more = new Later(() => import('./more.ts'))
  readonly #seldom = new Later(() => import('./seldom.ts'))

  /** @throws TypeError when the url is none */
  constructor(options: SessionChatTransportOptions<Message>) {
    this.#options = options
    this.#client = 'client' in options ? options.client : createClient(options)
  }

  /** Sends what the chat has new, once however often. The stream fails with what that is refused with. */
  async sendMessages(send: Send<Message>): Promise<ReadableStream<UIMessageChunk>> {
    const { chatId, abortSignal } = send
    const session = await this.#live(chatId, abortSignal)
    const { view } = session
    let ask = askOf(send, view, this.#names)
    if ('known' in ask) {
      const { askAgain } = await this.#seldom.get()
      ask = askAgain(send, ask, view, this.#names, kit)
    }
    const sent = ask.say(session, dataOf(send), () => this.#options.mode?.(send) ?? 'queue')
    return this.#follow(chatId, session, ask.target, abortSignal, sent)
  }

  /** The answer that is being given or waited for, from its beginning; `null`: there is none. */
  async reconnectToStream({
    chatId,
    abortSignal,
  }: Reconnect<Message>): Promise<ReadableStream<UIMessageChunk> | null> {
    const session = await this.#live(chatId, abortSignal)
    const { view, outbox } = session
    const runs = [...view.runs.values()]
    // It is looked for before anything is waited for: what is sent meanwhile has a stream of its own.
    const inputs = [...view.inputs.keys()]
    const run = runs.findLast(({ status }) => !isOver(status))?.id
    const isSeldom =
      inputs[0] ?? outbox[0] ?? runs.find(({ status }) => status === 'waiting' || status === 'lost')
    const target = isSeldom
      ? (await this.#more.get()).activeOf(view, inputs, outbox, { ...this.#options, isOver })
      : run && { run }
    return target ? this.#follow(chatId, session, target, abortSignal) : null
  }

  /**
   * Stops the agent: the runs of the chat's session that live, or, where none does, what this page has asked for.
   * @throws ClientError the refusal; `disconnected` where nobody could be told
   */
  async stop(chatId: string): Promise<void> {
    const session = await this.#live(chatId)
    const { stop } = await this.#seldom.get()
    await stop(session, chatId, this.#answers, this.#asked, { ...this.#options, isOver })
  }

  /** The messages of the session, as a chat begins with them. @throws ClientError what attaching is refused with */
  async loadMessages(chatId: string, { branch }: ObserveOptions = {}): Promise<Message[]> {
    const session = await this.#live(chatId)
    if (this.#shown(session, branch) === undefined) await this.#more.get()
    return this.#shown(session, branch) ?? []
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
    const observer = {}
    let off: (() => void) | undefined
    this.#observers.set(observer, chatId)
    const begin = async (): Promise<void> => {
      const session = await this.#session(chatId)
      const tell = (): void => {
        if (session.state !== 'live' || !this.#observers.has(observer)) return
        const shown = this.#shown(session, branch)
        // It is tried again with the next change.
        if (shown === undefined) this.#more.get().then(tell, () => {})
        else listener(shown)
      }
      if (!this.#observers.has(observer)) return
      off = follow(session, tell)
      tell()
    }
    // Whoever sends is told where there is no session, or no client any more; what attaching is refused with, the client tells.
    begin().catch(() => {})
    return () => {
      this.#observers.delete(observer)
      off?.()
    }
  }

  /** Ends the streams, and the connection where it is the transport's own. Stops no agent. */
  close(): void {
    for (const answer of this.#answers) answer.close()
    if (!('client' in this.#options)) this.#client.close()
  }

  /** @returns `undefined`: the code for it is to be fetched first */
  #shown(session: Session, branch: string | null | undefined): Message[] | undefined {
    const path = pathOf(session.view, branch, this.#more)
    return path?.map((message) => {
      // What the application's own agent piped into the session has the types of its own parts.
      const shown = this.#shownAs.get(message) ?? (this.#ui(message) as Message)
      this.#shownAs.set(message, shown)
      return shown
    })
  }

  #ui(message: SessionMessage): UiMessage {
    const { code } = this.#more
    const shown = uiMessageOf(message, (part) => code?.moreWords(part))
    return (this.#options.version === 6 && code?.shownBy6(shown)) || shown
  }

  #follow(
    chatId: string,
    session: Session,
    target: Target,
    signal: AbortSignal | undefined,
    sent?: Promise<unknown>,
  ): ReadableStream<UIMessageChunk> {
    const leave = (): void => {
      if (this.#options.cancelOnAbort && this.#answers.has(answer))
        this.stop(chatId).catch(() => {})
      answer.close()
    }
    const answer: AnswerStream = new AnswerStream(
      session,
      target,
      {
        ...this.#options,
        more: this.#more,
        corrected: () => [...this.#observers.values()].includes(chatId),
        ended: () => {
          this.#answers.delete(answer)
          unlisten()
        },
      },
      sent,
    )
    // A connection that is lost comes back; one that somebody closed does not, and a chat would wait for ever.
    const unlisten = this.#client.on('state', (state) => state === 'closed' && answer.close())
    this.#answers.add(answer)
    if (target.input) this.#asked.set(target.input, chatId)
    dropOldest(this.#asked)
    signal?.addEventListener('abort', leave)
    if (signal?.aborted) leave()
    return answer.readable
  }

  /** @throws ClientError what attaching is refused with; the reason of the signal, which the AI SDK takes for what it is */
  async #live(chatId: string, signal?: AbortSignal): Promise<Session> {
    const session = await this.#session(chatId)
    signal?.throwIfAborted()
    await untilLive(session, signal)
    signal?.throwIfAborted()
    return session
  }

  async #session(chatId: string): Promise<Session> {
    const session = this.#client.session((await this.#options.session?.(chatId)) ?? chatId)
    this.#used.add(session)
    // Whoever follows it still attaches again. Those who share their client with others leave by themselves.
    for (const old of dropOldest(this.#used)) if (!('client' in this.#options)) old.detach()
    return session
  }
}

/**
 * Fifty. Of what was asked, as many as a view keeps of answers that are over: what was asked before them was answered, or waits with too many others to be stopped
 * one by one. Of sessions, half of those that a connection may have.
 * @returns what was dropped
 */
function dropOldest<Key>(some: { keys(): Iterable<Key>; delete(key: Key): boolean }): Key[] {
  return [...some.keys()].slice(0, -50).filter((key) => some.delete(key))
}

/** What the agent may want to know beside the words. */
function dataOf({ messages, metadata, body }: Send<UIMessage>): WithData {
  const last = messages.at(-1)
  const own = last?.role === 'user' ? last.metadata : undefined
  const data = said({ metadata: metadata ?? own, body })
  return Object.keys(data).length > 0 ? { data } : {}
}
