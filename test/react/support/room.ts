import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { createClient, type ClientOptions } from '../../../src/client/create-client.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../../support/server-process.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { Socket } from './socket.ts'

type Json = Readonly<Record<string, unknown>>

/** What went over the sockets of a page. */
export interface Traffic {
  /** How many were opened. */
  readonly sockets: number
  /** The ops of the frames that were sent, in order; but for credentials and pings. */
  readonly ops: readonly string[]
}

export interface Room {
  readonly url: string
  /** The line between the page and the server, which a test cuts; the agent's side does not go over it. */
  readonly proxy: TcpProxy
  readonly key: string
  newSession(): Promise<string>
  /** The other side: a request with the server's key. */
  ask(method: string, path: string, body?: unknown, epoch?: number): Promise<Json>
  events(id: string): Promise<readonly { readonly type: string; readonly data: Json }[]>
  token(subject: string): Promise<string>
  /** A socket class that counts. */
  watched(): {
    readonly WebSocket: NonNullable<ClientOptions['WebSocket']>
    readonly traffic: Traffic
  }
  client(options?: Partial<ClientOptions>): ReturnType<typeof createClient>
}

/** A real server, for the tests of a file; a process of its own, since these live among the globals of a page. */
export function useRoom(): Room {
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
  const ask: Room['ask'] = async (method, path, body, epoch) => {
    const response = await fetch(`${server.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        'content-type': 'application/json',
        ...(epoch !== undefined && { 'run-epoch': String(epoch) }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    return (await response.json()) as Json
  }
  const token: Room['token'] = async (subject) => {
    const capabilities = ['subscribe', 'history', 'send', 'signal', 'presence', 'state']
    const body = { subject, sessions: ['react-*'], capabilities, ttlMs: 600_000 }
    return String((await ask('POST', '/tokens', body))['token'])
  }
  return {
    get url() {
      return `http://127.0.0.1:${proxy.port}`
    },
    get proxy() {
      return proxy
    },
    key: API_KEY,
    ask,
    token,
    async newSession() {
      const id = `react-${sessions++}`
      await ask('PUT', `/sessions/${id}`, {})
      return id
    },
    async events(id) {
      const { events } = await ask('GET', `/sessions/${id}/events?after=0&limit=1000`)
      return events as Awaited<ReturnType<Room['events']>>
    },
    watched,
    client(options = {}) {
      const client = createClient({
        url: this.url,
        token: () => token('ada'),
        WebSocket: Socket,
        ...options,
      })
      onTestFinished(() => client.close())
      return client
    },
  }
}

function watched(): ReturnType<Room['watched']> {
  const ops: string[] = []
  let sockets = 0
  class Watched extends Socket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets += 1
    }
    override send(data: string): void {
      const { op } = JSON.parse(data) as { readonly op: string }
      if (op !== 'ping' && op !== 'auth') ops.push(op)
      super.send(data)
    }
  }
  return {
    WebSocket: Watched,
    traffic: {
      get sockets() {
        return sockets
      },
      ops,
    },
  }
}

/** A run of the room, and its epoch. */
export async function startRun(room: Room, id: string, run = 'r1'): Promise<number> {
  return Number((await room.ask('POST', `/sessions/${id}/runs`, { run, agent: 'helper' }))['epoch'])
}

/** An agent that answers each prompt with the same words and a number, for as long as the test lasts. */
export function answering(room: Room, id: string): void {
  let over = false
  let answers = 0
  onTestFinished(() => {
    over = true
  })
  // What was begun is gone on with, however a request fails: each may be sent again.
  const begun = new Map<string, number>()
  const answer = async (input: string, count: number): Promise<void> => {
    const run = `run-of-${input}`
    const start = { run, trigger: input, producer: 'answers' }
    const at = Number((await room.ask('POST', `/sessions/${id}/runs`, start))['epoch'])
    const path = `/sessions/${id}/inputs/${input}/deliver`
    const { parent } = await room.ask('POST', path, { run }, at)
    const parts = [{ type: 'text', text: `Answer ${count}` }]
    const data = { message: `answer-${count}`, role: 'assistant', parts, parent }
    const event = { type: 'message.completed', id: `said-by-${run}`, data }
    await room.ask('POST', `/sessions/${id}/runs/${run}/events`, event, at)
    await room.ask('POST', `/sessions/${id}/runs/${run}/finish`, {}, at)
  }
  const serve = async (): Promise<void> => {
    const { inputs } = await room.ask('GET', `/sessions/${id}/inputs`)
    for (const input of inputs as { readonly id: string }[]) {
      if (!begun.has(input.id)) begun.set(input.id, ++answers)
    }
    for (const [input, count] of begun) {
      await answer(input, count)
      begun.delete(input)
    }
  }
  void until('the test is over', async () => {
    if (!over) await serve().catch(() => undefined)
    return over
  })
}
