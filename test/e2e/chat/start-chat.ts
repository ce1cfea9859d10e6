import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'
import { AgentProcess } from '../../../examples/chat/backend/agent-process.ts'
import { Inbox } from '../../../examples/chat/backend/inbox.ts'
import { builtPage, serve } from '../../../examples/chat/backend/serve-page.ts'
import { freePort } from '../../support/free-port.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../../support/server-process.ts'

const root = join(import.meta.dirname, '../../..')
const example = join(root, 'examples/chat')

/** A killed agent is lost 3 s later, as its socket tells; then another takes over. */
const BACK_AFTER_MS = 6000

export interface ChatApp {
  /** Of the page. */
  readonly url: string
  readonly heldline: ServerProcess
  readonly agent: AgentProcess
  /** Its session, through Heldline's own eyes. */
  ask(method: string, path: string, body?: object): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export interface ChatOptions {
  /** Hundredths of the time that the scripted agent takes for everything. */
  readonly pace: number
  /** How long a result waits for its reader before it is sent after them. */
  readonly deliveryAfterMs?: number
}

/** The whole of `examples/chat`, as `npm run chat` starts it, but built, on free ports and with data of its own. */
export async function startChat({ pace, deliveryAfterMs = 60_000 }: ChatOptions): Promise<ChatApp> {
  const folder = await mkdtemp(join(tmpdir(), 'heldline-chat-'))
  await buildPage(folder)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const heldline = await startServerProcess({
    API_KEYS: API_KEY,
    TOKEN_SECRET: randomBytes(32).toString('base64'),
    ALLOWED_ORIGINS: url,
    WEBHOOK_URL: `${url}/api/hook`,
    WEBHOOK_SECRET: secret,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    DELIVERY_AFTER_MS: String(deliveryAfterMs),
  })
  const place = { url: heldline.url, key: API_KEY }
  const fromSource = [
    '--disable-warning=ExperimentalWarning',
    '--import',
    join(example, 'from-source.ts'),
  ]
  const env = { AGENT_PACE: String(pace), AGENT_LEASE_MS: '6000', OPENAI_API_KEY: '' }
  const agent = new AgentProcess(place, fromSource, env, BACK_AFTER_MS)
  await agent.start()
  const parts = { heldline: place, agent, inbox: new Inbox(secret), model: 'scripted' }
  const server = serve(parts, builtPage(folder))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url,
    heldline,
    agent,
    async ask(method, path, body) {
      const response = await fetch(`${heldline.url}/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return (await response.json()) as Record<string, unknown>
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await agent.close()
      await heldline.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** As it is deployed: with the React of production, which costs a browser less, too. */
async function buildPage(folder: string): Promise<void> {
  const before = process.env['NODE_ENV']
  process.env['NODE_ENV'] = 'production'
  try {
    await build({
      configFile: join(example, 'vite.config.ts'),
      logLevel: 'error',
      build: { outDir: folder, emptyOutDir: true },
    })
  } finally {
    process.env['NODE_ENV'] = before
  }
}
