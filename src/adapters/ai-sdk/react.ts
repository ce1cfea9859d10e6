/** `heldline/ai-sdk/react`: what others say, in a `useChat`. */
import type { UIMessage } from 'ai'
import { useEffect, useRef } from 'react'
import { withOwn } from './own-results.ts'
import type { ObserveOptions } from './options.ts'
import type { SessionChatTransport } from './transport.ts'

/** What `useChat` gives, as far as it is used here. */
export interface ObservedChat<Message extends UIMessage> {
  readonly id: string
  readonly status: 'submitted' | 'streaming' | 'ready' | 'error'
  readonly messages: Message[]
  readonly setMessages: (change: (messages: Message[]) => Message[]) => void
}

export interface ObserverOptions<Message extends UIMessage> extends ObserveOptions {
  readonly chat: ObservedChat<Message>
  readonly transport: SessionChatTransport<Message>
}

/**
 * Shows in a chat what the session holds while the chat has no stream of its own: what other devices and people say, and what they are answered.
 * Messages that a page has made by itself and not sent are replaced.
 */
export function useObserver<Message extends UIMessage>({
  chat,
  transport,
  branch = null,
}: ObserverOptions<Message>): void {
  const latest = useRef(chat)
  const seen = useRef<Message[] | null>(null)
  const show = useRef(() => {
    const { status, messages, setMessages } = latest.current
    if (seen.current === null || (status !== 'ready' && status !== 'error')) return
    setMessages((now) => {
      // Something was asked that is not drawn yet, nor its status: it is looked at again when it is.
      if (seen.current === null || now !== messages) return now
      const shown = withOwn(seen.current, now)
      seen.current = null
      return shown
    })
  })
  useEffect(() => {
    latest.current = chat
    show.current()
  })
  useEffect(() => {
    const tell = (messages: Message[]): void => {
      seen.current = messages
      show.current()
    }
    return transport.observe(chat.id, tell, { branch })
  }, [transport, chat.id, branch])
}
