import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { AgentPublisher, type AgentOptions } from '../support/agent-publisher.ts'
import { History, seen, type Seen, type WireEventLike } from '../support/history.ts'
import { checkHistory, type CheckOptions, type Report } from '../support/history-checker.ts'
import { ProtocolClient, type ClientOptions } from '../support/protocol-client.ts'
import { type RedisServer, type RedisSettings, startRedis } from '../support/redis-server.ts'
import {
  API_KEY,
  type ServerEnv,
  type ServerProcess,
  startServerProcess,
} from '../support/server-process.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { pause, until } from '../support/until.ts'

/**
 * Where a run takes place: real servers, real clients, one session, one history. Whatever is started here ends with the test, the last
 * first, also when it fails.
 */
export class Stage {
  readonly history = new History()
  readonly session: string
  readonly nodes: ServerProcess[] = []
  readonly clients: ProtocolClient[] = []

  constructor(session = `s-${Math.random().toString(36).slice(2, 10)}`) {
    this.session = session
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ url }) => url)
  }

  async redis(settings: RedisSettings = {}): Promise<RedisServer> {
    const server = await startRedis(settings)
    onTestFinished(() => server.stop())
    return server
  }

  async proxy(port: number): Promise<TcpProxy> {
    const proxy = await startProxy(port)
    onTestFinished(() => proxy.close())
    return proxy
  }

  async node(env: ServerEnv = {}): Promise<ServerProcess> {
    const node = await startServerProcess({ HEARTBEAT_MS: '2000', ...env })
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail' && node.output !== '') console.log(node.output)
      await node.stop()
    })
    this.nodes.push(node)
    return node
  }

  /** @returns the position before the first event */
  async open(settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const { head } = await this.ask('PUT', '', settings)
    return `${String(head).split('.')[0]}.0.--------`
  }

  client(name: string, options: Partial<ClientOptions> = {}, firstNode = 0): ProtocolClient {
    const { history, session, urls } = this
    const all = { name, urls, session, credential: API_KEY, history, ...options }
    const client = new ProtocolClient(all, firstNode)
    onTestFinished(() => client.close())
    this.clients.push(client)
    return client
  }

  agent(name: string, options: Partial<AgentOptions> = {}): AgentPublisher {
    const { history, session, urls } = this
    const agent = new AgentPublisher({
      name,
      urls,
      session,
      credential: API_KEY,
      history,
      by: 'ids',
      ...options,
    })
    onTestFinished(() => agent.stop())
    return agent
  }

  nemesis(what: string): void {
    this.history.record('nemesis', this.session, { kind: 'nemesis', what })
  }

  /** A request about the session that is expected to be granted; it is asked again while nobody can answer. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    url = this.urls[0] ?? '',
  ): Promise<Record<string, unknown>> {
    let last = ''
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        const { status, content } = await request(url, this.session, method, path, body)
        if (status < 300) return content
        last = JSON.stringify(content)
        if (content['retryable'] !== true) break
      } catch (error) {
        last = String(error)
      }
      await pause(50)
    }
    throw new Error(`${method} ${path} was refused: ${last}`)
  }

  /** Everybody has come to the head, whatever it is now. */
  async quiet(withinMs = 60_000): Promise<string> {
    let head = ''
    await until(
      'everybody is at the head',
      async () => {
        head = String((await this.ask('GET', ''))['head'])
        return this.clients.every(({ position, attached }) => attached && position === head)
      },
      { withinMs, instead: () => [head, ...this.clients.map(({ position }) => position)] },
    )
    return head
  }

  /** Once all is quiet: reads the whole log through each node, and judges what everybody saw. @returns what happened, where nothing was wrong */
  async judge(options: CheckOptions = { keepsAcknowledged: true }): Promise<Report> {
    await this.quiet()
    for (const { url } of this.nodes) {
      const events = await this.readLog(url)
      this.history.record(url, this.session, { kind: 'history', node: url, events })
    }
    const report = checkHistory(this.history.entries, options)
    if (report.violations.length > 0) {
      const path = join(tmpdir(), `heldline-history-${this.session}.jsonl`)
      await writeFile(path, this.history.lines())
      console.log(`the history of this run is in ${path}`)
    }
    expect(report.violations).toEqual([])
    // A mistake of its own is logged as an error, and nothing else is.
    const mistakes = this.nodes.flatMap(({ output }) =>
      output.split('\n').filter((line) => line.includes('"level":"error"')),
    )
    expect(mistakes).toEqual([])
    return report
  }

  async readLog(url: string): Promise<readonly Seen[]> {
    const events: Seen[] = []
    let { floor } = await this.ask('GET', '', undefined, url)
    for (;;) {
      const path = `/events?after=${String(floor)}&limit=1000`
      const page = await this.ask('GET', path, undefined, url)
      const epoch = String(page['epoch'])
      for (const event of page['events'] as WireEventLike[]) events.push(seen(epoch, event))
      if (page['more'] !== true) return events
      floor = events.at(-1)?.serial
    }
  }
}

async function request(
  url: string,
  session: string,
  method: string,
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly content: Record<string, unknown> }> {
  const response = await fetch(`${url}/v1/sessions/${session}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${API_KEY}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  return { status: response.status, content: text === '' ? {} : JSON.parse(text) }
}
