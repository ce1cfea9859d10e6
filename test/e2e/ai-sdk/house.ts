import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { createAgent } from '../../../src/agent/index.ts'
import { launchBrowser, servePage, type PageServer } from '../../support/browser.ts'
import { RealWindow } from '../../support/real-tabs.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../../support/server-process.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { SlowAnswer } from './slow-answer.ts'
import { AiSdkTab } from './tab.ts'

interface Begin {
  /** Between one chunk and the next. */
  readonly everyMs: number
  /** What is said at once when it is first asked. */
  readonly first?: string
}

export interface House {
  readonly server: ServerProcess
  /** The line between pages and the server, which tests cut. The agents have their own. */
  readonly proxy: TcpProxy
  /** A session with an agent in it, which stays until the test ends. */
  begin(what: Begin): Promise<{ readonly session: string; readonly answer: SlowAnswer }>
  /** The chat on a device of its own. */
  open(way: string, session: string, more?: Readonly<Record<string, string>>): Promise<AiSdkTab>
  /** Of the runs of a session, from the first on. */
  statusesOf(session: string): Promise<readonly string[]>
}

/** A real server, which may be killed, a real browser, and a page of another origin, for the tests of a file. */
export function useHouse(): House {
  let pages: PageServer
  let server: ServerProcess
  let proxy: TcpProxy
  let browser: Browser
  let sessions = 0

  beforeAll(async () => {
    pages = await servePage(new URL('../page/ai-sdk.tsx', import.meta.url))
    server = await startServerProcess({ ALLOWED_ORIGINS: pages.origin })
    proxy = await startProxy(server.port)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await proxy?.close()
    await server?.stop()
    await pages?.close()
  })

  const ask = async (method: string, path: string, body: object = {}): Promise<object> => {
    const response = await fetch(`${server.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      ...(method !== 'GET' && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    return (await response.json()) as object
  }
  return {
    get server() {
      return server
    },
    get proxy() {
      return proxy
    },
    async begin({ everyMs, first }) {
      const session = `chat-${++sessions}`
      await ask('PUT', `/sessions/${session}`)
      const answer = new SlowAnswer(everyMs)
      const agent = createAgent({ url: server.url, apiKey: API_KEY })
      let greeting = first
      const served = agent.session(session).serve({ agent: 'tester' }, async (run) => {
        if (greeting === undefined) return answer.give(run)
        await run.text(greeting)
        greeting = undefined
      })
      onTestFinished(async () => {
        await agent.close()
        await served
      })
      return { session, answer }
    },
    async open(way, session, more = {}) {
      const capabilities = ['subscribe', 'history', 'send', 'presence']
      const grant = { subject: 'ada', sessions: [session], capabilities, ttlMs: 600_000 }
      const { token } = (await ask('POST', '/tokens', grant)) as { readonly token: string }
      const query = new URLSearchParams({
        way,
        token,
        chat: session,
        url: `http://127.0.0.1:${proxy.port}`,
        backend: server.url,
        ...more,
      })
      const window = await RealWindow.open(browser)
      onTestFinished(() => window.close())
      return AiSdkTab.open(window, `${pages.origin}/?${query}`)
    },
    async statusesOf(session) {
      const { runs } = (await ask('GET', `/sessions/${session}/runs`)) as {
        readonly runs: readonly { readonly status: string }[]
      }
      return runs.map(({ status }) => status)
    },
  }
}
