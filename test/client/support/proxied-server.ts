import { afterAll, beforeAll } from 'vitest'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

/** A real server, and the network before it. */
export class ProxiedServer {
  readonly server: LocalServer
  readonly proxy: TcpProxy

  private constructor(server: LocalServer, proxy: TcpProxy) {
    this.server = server
    this.proxy = proxy
  }

  static async start(): Promise<ProxiedServer> {
    const server = await startLocalServer()
    return new ProxiedServer(server, await startProxy(Number(new URL(server.url).port)))
  }

  /** Where clients find it: through the proxy. */
  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}`
  }

  /** The agent's side: plain HTTP, not through the proxy. `path` begins behind `/v1`. @throws Error where it is refused */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.server.url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.server.key}`,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }

  async close(): Promise<void> {
    await this.proxy.close()
    await this.server.close()
  }
}

/** One for all tests of a file, from before the first until after the last. @returns gives it, once tests run */
export function proxiedServer(): () => ProxiedServer {
  let started: ProxiedServer | undefined
  beforeAll(async () => {
    started = await ProxiedServer.start()
  })
  afterAll(() => started?.close())
  return () => {
    if (started === undefined) throw new Error('it is there from the first test on')
    return started
  }
}
