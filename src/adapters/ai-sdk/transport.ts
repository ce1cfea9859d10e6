import type { ChatTransport, UIMessage, UIMessageChunk } from 'ai'
import type { Client } from '../../client/client.ts'
import { createClient } from '../../client/create-client.ts'
import type { Chats } from './chats.ts'
import type { ObserveOptions, Reconnect, Send, SessionChatTransportOptions } from './options.ts'

/**
 * Sessions as the transport of `useChat`. Lost connections are seen to within: no stream ends or fails by them. An answer goes on whoever watches it; it is
 * resumed from its beginning, which the AI SDK is told. The code is loaded with the first use.
 */
export class SessionChatTransport<
  Message extends UIMessage = UIMessage,
> implements ChatTransport<Message> {
  readonly resumeStreamIsReplay = true
  readonly #options: SessionChatTransportOptions<Message>
  readonly #client: Client
  #loading: Promise<Chats<Message>> | null = null
  #chats: Chats<Message> | null = null

  /** @throws TypeError when the url is none */
  constructor(options: SessionChatTransportOptions<Message>) {
    this.#options = options
    this.#client = 'client' in options ? options.client : createClient(options)
  }

  /** Sends what the chat has new, once however often. The stream fails with what that is refused with. */
  async sendMessages(send: Send<Message>): Promise<ReadableStream<UIMessageChunk>> {
    return (await this.#load()).sendMessages(send)
  }

  /** The answer that is being given or waited for, from its beginning; `null`: there is none. */
  async reconnectToStream(
    reconnect: Reconnect<Message>,
  ): Promise<ReadableStream<UIMessageChunk> | null> {
    return (await this.#load()).reconnectToStream(reconnect)
  }

  /**
   * Stops the agent: the runs of the chat's session that live, or, where none does, what this page has asked for.
   * @throws ClientError the refusal; `disconnected` where nobody could be told
   */
  async stop(chatId: string): Promise<void> {
    return (await this.#load()).stop(chatId)
  }

  /** The messages of the session, as a chat begins with them. @throws ClientError what attaching is refused with */
  async loadMessages(chatId: string, options?: ObserveOptions): Promise<Message[]> {
    return (await this.#load()).loadMessages(chatId, options)
  }

  /**
   * Tells what the session holds, whoever wrote it: at once, and whenever it has changed, at most once a frame. For a chat to show while it has no stream of
   * its own; where one is observed, what its stream cannot tell is left to that.
   * @returns what ends it
   */
  observe(
    chatId: string,
    listener: (messages: Message[]) => void,
    options?: ObserveOptions,
  ): () => void {
    let over = false
    let stop = (): void => undefined
    const begin = async (): Promise<void> => {
      const chats = await this.#load()
      if (!over) stop = chats.observe(chatId, listener, options)
    }
    // Whoever sends is told that the code does not come.
    begin().catch(() => undefined)
    return () => {
      over = true
      stop()
    }
  }

  /** Ends the streams, and the connection where it is the transport's own. Stops no agent. */
  close(): void {
    this.#chats?.close()
    if (!('client' in this.#options)) this.#client.close()
  }

  async #load(): Promise<Chats<Message>> {
    this.#loading ??= this.#import()
    try {
      return await this.#loading
    } catch (error) {
      // It is tried again.
      this.#loading = null
      throw error
    }
  }

  async #import(): Promise<Chats<Message>> {
    const { Chats } = await import('./chats.ts')
    return (this.#chats = new Chats<Message>(this.#client, this.#options))
  }
}
