import { useChat as useChat7, type Chat as Chat7 } from '@ai-sdk/react'
import { useChat as useChat6 } from '@ai-sdk/react-v6'
import type { ChatTransport, UIMessage } from 'ai'
import { StrictMode, useState } from 'react'
import { useObserver } from '../../../src/adapters/ai-sdk/react.ts'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { render } from '../../react/support/render.ts'
import { until } from '../../support/until.ts'

/** The hooks as they are published; both take the transport as it is. */
export const HOOKS = [
  ['AI SDK 7', 7, useChat7],
  ['AI SDK 6', 6, useChat6 as unknown as typeof useChat7],
] as const
export type Hook = typeof useChat7
export type Chat = ReturnType<typeof useChat7>

export interface PageOptions {
  readonly strict?: boolean
  readonly messages?: UIMessage[]
  /** Where the transport can tell what others say. */
  readonly observe?: boolean
  readonly more?: Parameters<typeof useChat7>[0]
  /** Where the hook is given a chat in the place of what makes one. */
  readonly Chat?: typeof Chat7
}

/** A page with a chat on it, as the unmodified hook has it. */
export async function openPage(
  useChat: Hook,
  id: string,
  transport: ChatTransport<UIMessage>,
  { strict = false, messages = [], observe = true, more = {}, Chat }: PageOptions = {},
) {
  let chat: Chat | undefined
  let look = (_branch: string | null): void => undefined
  const errors: Error[] = []
  function Page() {
    const onError = (error: Error): void => void errors.push(error)
    const options = { id, transport, messages, onError, ...more }
    const [own] = useState(() => (Chat === undefined ? null : new Chat<UIMessage>(options)))
    chat = useChat({ resume: true, ...more, ...(own === null ? options : { chat: own }) })
    const [branch, setBranch] = useState<string | null>(null)
    look = setBranch
    return observe && transport instanceof SessionChatTransport ? (
      <Observer chat={chat} transport={transport} branch={branch} />
    ) : null
  }
  const page = await render(
    strict ? (
      <StrictMode>
        <Page />
      </StrictMode>
    ) : (
      <Page />
    ),
  )
  const now = (): Chat => {
    if (chat === undefined) throw new Error('nothing was rendered')
    return chat
  }
  return {
    errors,
    now,
    unmount: () => page.unmount(),
    /** Looks at the path that leads to this message. */
    look: (branch: string | null) => look(branch),
    /** What is said, message by message. */
    said: () => now().messages.map(textOf),
    async shows(...expected: readonly string[]) {
      await until(
        `the page shows ${JSON.stringify(expected).slice(0, 300)}`,
        () => JSON.stringify(now().messages.map(textOf)) === JSON.stringify(expected),
        { instead: () => ({ said: now().messages.map(textOf), status: now().status, errors }) },
      )
    },
    async is(status: Chat['status']) {
      await until(`the chat is ${status}`, () => now().status === status, {
        instead: () => ({ status: now().status, said: now().messages, errors: errors.map(String) }),
      })
    },
  }
}

function Observer({
  chat,
  transport,
  branch,
}: {
  readonly chat: Chat
  readonly transport: SessionChatTransport
  readonly branch: string | null
}) {
  useObserver({ chat, transport, branch })
  return null
}

export function textOf({ parts }: Pick<UIMessage, 'parts'>): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
}
