import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import type { Client } from '../../src/client/client.ts'
import { createClient, type ClientOptions } from '../../src/client/create-client.ts'
import type { Session } from '../../src/client/session.ts'
import type { LocalServer } from '../support/local-server.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

/** Servers on one store: those who come are spread over them. */
export interface Nodes {
  readonly nodes: readonly LocalServer[]
  close(): Promise<void>
}

/** Short, so that a test can wait until somebody has left. */
export const QUICK = {
  HEARTBEAT_MS: '500',
  PRESENCE_GRACE_MS: '200',
  PRESENCE_WINDOW_MS: '600',
  PRESENCE_TTL_MS: '4000',
}

const CAPABILITIES = ['subscribe', 'history', 'send', 'signal', 'presence', 'state']
let talks = 0

export interface Logged {
  readonly serial: number
  readonly tag: string
  readonly type: string
  readonly id: string
  readonly by: { readonly subject: string; readonly run?: string }
  readonly data: unknown
}

/** One session: its agents and people come and go by this. All of them are gone when the test ends. */
export class Talk {
  readonly id = `people-${process.pid}-${talks++}`
  readonly #nodes: readonly LocalServer[]
  #next = 0

  constructor(nodes: readonly LocalServer[]) {
    this.#nodes = nodes
  }

  /** Each time another one, where there are several. */
  get node(): LocalServer {
    const node = this.#nodes[this.#next++ % this.#nodes.length]
    if (node === undefined) throw new Error('there is no node')
    return node
  }

  async ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const { url, key } = this.node
    const response = await fetch(`${url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    const text = await response.text()
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  }

  /** An agent in the session, which it makes where it is not there. */
  async agent() {
    const { url, key } = this.node
    const agent = createAgent({ url, apiKey: key })
    onTestFinished(() => agent.close())
    const session = agent.session(this.id)
    await session.open()
    return session
  }

  async token(subject: string, kind = 'human', sessions = [this.id]): Promise<string> {
    const asked = { subject, kind, sessions, capabilities: CAPABILITIES, ttlMs: 600_000 }
    return String((await this.ask('POST', '/tokens', asked))['token'])
  }

  /** A client of somebody: a tab, or a device. */
  async client(subject = 'ada', options: Partial<ClientOptions> = {}): Promise<Client> {
    const client = createClient({
      url: this.node.url,
      token: await this.token(subject),
      ...options,
    })
    onTestFinished(() => client.close())
    return client
  }

  /** A tab of somebody that watches. */
  async tab(subject = 'ada', options: Partial<ClientOptions> = {}): Promise<Session> {
    return this.attached(await this.client(subject, options))
  }

  async attached(client: Client): Promise<Session> {
    const session = client.session(this.id, { catchup: 'events' })
    session.attach()
    await until('it watches', () => session.state === 'live')
    return session
  }

  async proxy(): Promise<TcpProxy & { readonly url: string }> {
    const proxy = await startProxy(Number(new URL(this.node.url).port))
    onTestFinished(() => proxy.close())
    return Object.assign(proxy, { url: `http://127.0.0.1:${proxy.port}` })
  }

  /** What follows a serial or position, page by page. */
  async log(after: number | string = 0, limit = 1000): Promise<readonly Logged[]> {
    const log: Logged[] = []
    for (;;) {
      const from = log.at(-1)?.serial ?? after
      const page = await this.ask('GET', `/sessions/${this.id}/events?after=${from}&limit=${limit}`)
      log.push(...(page['events'] as Logged[]))
      if (page['more'] !== true) return log
    }
  }

  /** Everybody has come to the end of the log. */
  async quiet(...sessions: readonly Session[]): Promise<void> {
    const { head } = await this.ask('GET', `/sessions/${this.id}`)
    await until('everybody is at the head', () =>
      sessions.every(({ position }) => position === head),
    )
  }
}

/** Opens servers for the tests around it, and begins a talk over them before each. */
export function talkInEach(open: () => Promise<Nodes>, begin: (talk: Talk) => void): void {
  let opened: Nodes
  beforeAll(async () => {
    opened = await open()
  })
  beforeEach(() => begin(new Talk(opened.nodes)))
  afterAll(() => opened?.close())
}

/** The serial and tag of every event that a session takes from now on. */
export function eventsOf(session: Session): string[] {
  const events: string[] = []
  session.on('event', ({ serial, tag }) => events.push(`${serial} ${tag}`))
  return events
}

export const textsOf = (session: Session): string[] =>
  session.messages.map(({ parts }) => parts.map(({ text }) => text ?? '').join(''))

/** All that people see, as text. */
export function pictureOf({ view }: Session): string {
  return JSON.stringify([view.position, [...view.messages.values()], view.rest()])
}
