import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { createAgent, type Run } from '../../../src/agent/index.ts'
import { createClient } from '../../../src/client/create-client.ts'
import {
  SessionChatTransport,
  type SessionChatTransportOptions,
} from '../../../src/adapters/ai-sdk/index.ts'
import { Socket } from '../../react/support/socket.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../../support/server-process.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

type Json = Readonly<Record<string, unknown>>

export interface House {
  readonly server: ServerProcess
  /** The line between pages and the server, which tests cut; the agent's side does not go over it. */
  readonly proxy: TcpProxy
  newSession(): Promise<string>
  ask(method: string, path: string, body?: unknown): Promise<Json>
  token(): Promise<string>
  events(id: string): Promise<readonly { readonly type: string; readonly data: Json }[]>
  /** The transport of another page, with a connection of its own. */
  transport(options?: Partial<SessionChatTransportOptions>): SessionChatTransport
  /** Answers all that is sent to a session, until the test ends. */
  agent(id: string, act: (run: Run) => unknown): void
}

/** A real server, for the tests of a file; a process of its own, since it is restarted, and these live among the globals of a page. */
export function useHouse(): House {
  let server: ServerProcess
  let proxy: TcpProxy
  let sessions = 0
  beforeAll(async () => {
    server = await startServerProcess()
    proxy = await startProxy(server.port)
  }, 60_000)
  afterAll(async () => {
    await proxy.close()
    await server.stop()
  })
  const ask: House['ask'] = async (method, path, body) => {
    const response = await fetch(`${server.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    return (await response.json()) as Json
  }
  const token = async (): Promise<string> => {
    const capabilities = ['subscribe', 'history', 'send', 'signal', 'presence', 'state']
    const body = { subject: 'ada', sessions: ['chat-*'], capabilities, ttlMs: 600_000 }
    return String((await ask('POST', '/tokens', body))['token'])
  }
  return {
    get server() {
      return server
    },
    get proxy() {
      return proxy
    },
    ask,
    token,
    async newSession() {
      const id = `chat-${process.pid}-${sessions++}`
      await ask('PUT', `/sessions/${id}`, {})
      return id
    },
    async events(id) {
      const { events } = await ask('GET', `/sessions/${id}/events?after=0&limit=1000`)
      return events as Awaited<ReturnType<House['events']>>
    },
    transport(options = {}) {
      const client = createClient({
        url: `http://127.0.0.1:${proxy.port}`,
        token,
        WebSocket: Socket,
        // Each page has a storage of its own: they are other devices.
        storage: { local: null, tab: null },
      })
      const transport = new SessionChatTransport({ ...options, client })
      onTestFinished(() => {
        transport.close()
        client.close()
      })
      return transport
    },
    agent(id, act) {
      const agent = createAgent({ url: server.url, apiKey: API_KEY, socket: false })
      const served = agent.session(id).serve({ agent: 'tester' }, act)
      onTestFinished(async () => {
        await agent.close()
        await served
      })
    },
  }
}

/** Holds an agent where it is until a test lets it go on. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>()
  /** Resolves when the gate is open. */
  readonly opened = this.#opened.promise

  open(): void {
    this.#opened.resolve()
  }
}

export const WORDS = Array.from({ length: 60 }, (_, n) => `word-${n} 👀`)
export const TEXT = WORDS.join(' ')

/** A text as the AI SDK streams it; each word comes when `next` says so. */
export async function* uiText(next: (index: number) => Promise<unknown>): AsyncGenerator<object> {
  yield { type: 'start' }
  yield { type: 'start-step' }
  yield { type: 'text-start', id: '0' }
  for (const [index, word] of WORDS.entries()) {
    await next(index)
    yield { type: 'text-delta', id: '0', delta: index === 0 ? word : ` ${word}` }
  }
  yield { type: 'text-end', id: '0' }
  yield { type: 'finish-step' }
  yield { type: 'finish', finishReason: 'stop' }
}
