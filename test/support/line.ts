import { afterAll, beforeAll } from 'vitest'
import { API_KEY, startServerProcess, type ServerProcess } from './server-process.ts'
import { startProxy, type TcpProxy } from './tcp-proxy.ts'

type Json = Readonly<Record<string, unknown>>

/** A real server behind a line. */
export interface Line {
  readonly server: ServerProcess
  /** The line between pages and the server, which tests cut; the other side does not go over it. */
  readonly proxy: TcpProxy
  /** The server's, for pages: over the line. */
  readonly url: string
  newSession(): Promise<string>
  /** The other side: a request with the server's key. @throws Error what was answered, where it was refused */
  ask(method: string, path: string, body?: unknown, epoch?: number): Promise<Json>
  /** A person's token, for the sessions that are made here; ada's, where nobody is named. */
  token(subject?: string): Promise<string>
  events(id: string): Promise<readonly { readonly type: string; readonly data: Json }[]>
}

/** For the tests of a file; a process of its own, since it may be restarted, and these live among the globals of a page. */
export function useLine(prefix: string): Line {
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
  const ask: Line['ask'] = async (method, path, body, epoch) => {
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
  return {
    get server() {
      return server
    },
    get proxy() {
      return proxy
    },
    get url() {
      return `http://127.0.0.1:${proxy.port}`
    },
    ask,
    async token(subject = 'ada') {
      const capabilities = ['subscribe', 'history', 'send', 'signal', 'presence', 'state']
      const body = { subject, sessions: [`${prefix}-*`], capabilities, ttlMs: 600_000 }
      return String((await ask('POST', '/tokens', body))['token'])
    },
    async newSession() {
      const id = `${prefix}-${process.pid}-${sessions++}`
      await ask('PUT', `/sessions/${id}`, {})
      return id
    },
    async events(id) {
      const { events } = await ask('GET', `/sessions/${id}/events?after=0&limit=1000`)
      return events as Awaited<ReturnType<Line['events']>>
    },
  }
}
