// The page of the AI SDK's tests: one chat, as an application has it, by one of the ways to a session that there are; and what was on the screen, in order.
import { useChat as useChat7, type Chat as Chat7 } from '@ai-sdk/react'
import { Chat as Chat6, useChat as useChat6 } from '@ai-sdk/react-v6'
import {
  DefaultChatTransport,
  WebSocketChatTransport,
  type ChatTransport,
  type UIMessage,
} from 'ai'
import { StrictMode, useEffect, useRef, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { DefaultChatTransport as DefaultChatTransport6 } from '../../../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/index.mjs'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { useObserver } from '../../../src/adapters/ai-sdk/react.ts'

/** What an application has chosen. */
interface Way {
  readonly useChat: typeof useChat7
  /** Where the hook is given a chat in the place of what makes one. */
  readonly Chat?: typeof Chat7
  readonly transport: ChatTransport<UIMessage>
  /** What the page begins with. */
  load(): Promise<UIMessage[]>
  /** Stops the answer, for everybody. */
  stop(): Promise<void>
  /** Where the transport can tell what others say. */
  readonly observed: SessionChatTransport | null
}

const query = new URLSearchParams(location.search)
const need = (name: string): string => {
  const value = query.get(name)
  if (value === null) throw new Error(`the address says no ${name}`)
  return value
}
const id = need('chat')
const url = need('url')
const authorization = `Bearer ${need('token')}`

function ours(useChat: typeof useChat7, version: 6 | 7): Way {
  const transport = new SessionChatTransport({ url, token: need('token'), version })
  return {
    useChat,
    transport,
    load: () => transport.loadMessages(id),
    stop: () => transport.stop(id),
    observed: transport,
  }
}

/** Without a line of ours: docs/ai-sdk-faces.md. */
function stock(
  transport: ChatTransport<UIMessage>,
  hook: Pick<Way, 'useChat' | 'Chat'> = { useChat: useChat7 },
): Way {
  const api = `${url}/compat/ai-sdk/chat/${id}`
  return {
    ...hook,
    transport,
    load: async () => {
      const response = await fetch(`${api}/messages`, { headers: { authorization } })
      const { messages } = (await response.json()) as { readonly messages: UIMessage[] }
      return messages
    },
    stop: async () => {
      await fetch(`${api}/stop`, { method: 'POST', headers: { authorization } })
    },
    observed: null,
  }
}

/** The application's own backend, which gives one for each connection. */
async function fetchTicket(): Promise<string> {
  const headers = { authorization, 'content-type': 'application/json' }
  const response = await fetch(`${need('backend')}/v1/tickets`, {
    method: 'POST',
    headers,
    body: '{}',
  })
  return ((await response.json()) as { readonly ticket: string }).ticket
}

// The hook as it is published for AI SDK 6; it takes the transports as they are.
const hook6 = useChat6 as unknown as typeof useChat7

const ways: Readonly<Record<string, () => Way>> = {
  'ours-7': () => ours(useChat7, 7),
  'ours-6': () => ours(hook6, 6),
  http: () =>
    stock(
      new DefaultChatTransport({ api: `${url}/compat/ai-sdk/chat`, headers: { authorization } }),
    ),
  'http-6': () => {
    const api = `${url}/compat/ai-sdk/chat?version=6`
    const transport = new DefaultChatTransport6({ api, headers: { authorization } })
    // Given a transport, this hook does not pass on that a resume is a replay; a chat of its own does.
    const hook = { useChat: hook6, Chat: Chat6 as unknown as typeof Chat7 }
    return stock(transport as unknown as ChatTransport<UIMessage>, hook)
  },
  socket: () =>
    stock(
      new WebSocketChatTransport({
        url: `${url.replace('http', 'ws')}/compat/ai-sdk/ws`,
        params: async () => ({ ticket: await fetchTicket() }),
      }),
    ),
}

const way = ways[need('way')]?.()
if (way === undefined) throw new Error('there is no such way')
const { useChat, Chat, transport, observed } = way

type ChatNow = ReturnType<typeof useChat7>
let chat: ChatNow | null = null
/** An application that throws over a tool, until somebody goes on. */
let stumbles = query.has('stumble')
const shown: string[][] = []
const errors: string[] = []
const problem = (error: unknown): number => errors.push(`uncaught: ${String(error)}`)
addEventListener('error', ({ error }) => problem(error))
addEventListener('unhandledrejection', ({ reason }) => problem(reason))

function Talk({ messages }: { readonly messages: UIMessage[] }) {
  const options = {
    id,
    transport,
    messages,
    onError: (error: Error) => void errors.push(String(error)),
    onToolCall() {
      if (stumbles) throw new Error('the application stumbled')
    },
  }
  const [own] = useState(() => (Chat === undefined ? null : new Chat<UIMessage>(options)))
  const now = useChat({ ...(own === null ? options : { chat: own }), resume: true })
  const list = useRef<HTMLOListElement>(null)
  useEffect(() => {
    chat = now
    const lines = [...(list.current?.children ?? [])].map((line) => line.textContent)
    if (JSON.stringify(lines) !== JSON.stringify(shown.at(-1))) shown.push(lines)
  })
  return (
    <>
      <ol ref={list}>
        {now.messages.map((message) => (
          <li key={message.id}>
            {message.role}: {message.parts.map((part, index) => wordsOf(part, index))}
          </li>
        ))}
      </ol>
      {observed === null ? null : <Observer chat={now} transport={observed} />}
    </>
  )
}

function Observer({ chat, transport }: Parameters<typeof useObserver>[0]) {
  useObserver({ chat, transport })
  return null
}

function wordsOf(part: UIMessage['parts'][number], index: number) {
  if (part.type === 'reasoning' || part.type === 'text') return <p key={index}>{part.text}</p>
  return part.type.startsWith('tool-') ? <b key={index}>[{part.type}]</b> : null
}

const root = createRoot(document.body.appendChild(document.createElement('main')))
const enter = async (): Promise<void> => {
  const messages = query.has('empty') ? [] : await way.load()
  root.render(
    <StrictMode>
      <Talk messages={messages} />
    </StrictMode>,
  )
}

/** What the test reads and does. */
export interface AiSdkPage {
  /** The lines that were on the screen since the page was loaded: each time that they changed. */
  readonly shown: readonly (readonly string[])[]
  readonly errors: readonly string[]
  status(): string
  messages(): readonly UIMessage[]
  say(text: string): void
  /** As the application's "Go on" where there is an error. */
  resume(): void
  stop(): Promise<void>
  /** To another page of the same application: the chat is unmounted. */
  leave(): void
  /** And back. */
  enter(): Promise<void>
}

const page: AiSdkPage = {
  shown,
  errors,
  status: () => chat?.status ?? 'away',
  messages: () => chat?.messages ?? [],
  say: (text) => void chat?.sendMessage({ text }),
  resume() {
    stumbles = false
    void chat?.resumeStream()
  },
  stop: () => way.stop(),
  leave() {
    chat = null
    root.render(<p>Elsewhere</p>)
  },
  enter,
}
Object.assign(globalThis, { page })
await enter()
