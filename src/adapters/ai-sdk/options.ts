import type { ChatTransport, UIMessage } from 'ai'
import type { Client } from '../../client/client.ts'
import type { ClientOptions } from '../../client/create-client.ts'

/** With a client, whose connection is used and which stays the caller's to close; or with what makes one. */
export type SessionChatTransportOptions<Message extends UIMessage = UIMessage> = (
  | { readonly client: Client }
  | ClientOptions
) &
  TransportOptions<Message>

export interface TransportOptions<Message extends UIMessage> {
  /** The session of a chat. Default: that of the chat's id. A good place to have it made. */
  readonly session?: (chatId: string) => string | Promise<string>
  /**
   * `true`: the chat's `stop()` stops the agent too. So does leaving the page of a chat then, since React's `useChat` calls it for that as well.
   * Default: it only stops watching; `transport.stop(chatId)` stops the agent.
   */
  readonly cancelOnAbort?: boolean
  /** How a message is sent that a person writes. `steer`: to the run that lives, at its next step. Default: `queue`, for the next run. */
  readonly mode?: (sent: Parameters<ChatTransport<Message>['sendMessages']>[0]) => 'queue' | 'steer'
  /** `6`: the application has AI SDK 6, which cannot take a step back. Default 7. */
  readonly version?: 6 | 7
  /** For so long, in milliseconds, a run that lost its agent may be taken over by another one before that is shown as an error. Default 60,000. */
  readonly lostMs?: number
}

export interface ObserveOptions {
  /** The message whose branch is shown. Default: the latest. */
  readonly branch?: string | null
}

export type Send<Message extends UIMessage> = Parameters<ChatTransport<Message>['sendMessages']>[0]
export type Reconnect<Message extends UIMessage> = Parameters<
  ChatTransport<Message>['reconnectToStream']
>[0]
