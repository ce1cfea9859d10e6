import { createAgent, type Agent, type AgentOptions } from '../../../src/agent/index.ts'
import type { WireEvent } from '../../../src/protocol/event.ts'
import type { Message } from '../../../src/protocol/fold/message.ts'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'

export interface Room {
  readonly server: LocalServer
  readonly agent: Agent
  /** Another agent process, with a fetch of its own where one is given. */
  another(options?: Partial<AgentOptions>): Agent
  /** A request with the key. */
  ask(method: string, path: string, body?: unknown): Promise<Json>
  events(session: string): Promise<readonly WireEvent[]>
  messages(session: string): Promise<readonly Message[]>
  /** Somebody sends it, as a message of the user. @param more what else the input says */
  readonly say: (session: string, text: string, more?: Json) => Promise<Json>
  /** The texts of what agents said. */
  readonly answers: (session: string) => Promise<readonly string[]>
  close(): Promise<void>
}

export type Json = Readonly<Record<string, unknown>>

/** A real server, and an agent of it. */
export async function openRoom(env: Readonly<Record<string, string>> = {}): Promise<Room> {
  const server = await startLocalServer(env)
  const agents: Agent[] = []
  const another = (options: Partial<AgentOptions> = {}): Agent => {
    const agent = createAgent({ url: server.url, apiKey: server.key, ...options })
    agents.push(agent)
    return agent
  }
  const ask = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const response = await fetch(`${server.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const answer = (await response.json()) as Json
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  const messages: Room['messages'] = async (session) => {
    const answer = await ask('GET', `/sessions/${session}/messages?limit=100`)
    return answer['messages'] as Message[]
  }
  return {
    server,
    agent: another(),
    another,
    ask,
    events: async (session) => {
      const { events } = await ask('GET', `/sessions/${session}/events?after=0&limit=1000`)
      return events as WireEvent[]
    },
    messages,
    say: (session, text, more = { mode: 'queue' }) =>
      ask('POST', `/sessions/${session}/inputs`, { parts: [{ type: 'text', text }], ...more }),
    answers: async (session) =>
      (await messages(session)).filter(({ role }) => role === 'assistant').map(textOf),
    close: async () => {
      await Promise.allSettled(agents.map((agent) => agent.close()))
      await server.close()
    },
  }
}

/** A message's text. */
export function textOf(message: Message | undefined): string {
  return (message?.parts ?? []).map((part) => part.text ?? '').join('')
}
