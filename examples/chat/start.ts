// One command for the whole example: Heldline on its embedded store, the agent, this example's backend and its page.
//
//   npm run chat
//
// HELDLINE_URL and HELDLINE_KEY: a server that runs already. OPENAI_API_KEY: a real model.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createServer as createVite } from 'vite'
import { AgentProcess } from './backend/agent-process.ts'
import type { Heldline } from './backend/heldline.ts'
import { Inbox } from './backend/inbox.ts'
import { serve } from './backend/serve-page.ts'

const {
  PORT = '5180',
  HELDLINE_PORT = '4480',
  OPENAI_API_KEY = '',
  OPENAI_MODEL = 'gpt-5-mini',
} = process.env
const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Where nothing is built, `heldline/agent` is the source. */
const FROM_SOURCE = ['--disable-warning=ExperimentalWarning', '--import', file('./from-source.ts')]

const secret = process.env['WEBHOOK_SECRET'] ?? `whsec_${randomBytes(32).toString('base64')}`
const heldline = await findHeldline()
const agent = new AgentProcess(heldline, FROM_SOURCE)
await agent.start()

const vite = await createVite({
  configFile: file('./vite.config.ts'),
  server: { middlewareMode: true },
})
const model = OPENAI_API_KEY === '' ? 'scripted' : OPENAI_MODEL
const server = serve({ heldline, agent, inbox: new Inbox(secret), model }, vite.middlewares)
server.listen(Number(PORT), '127.0.0.1')
await once(server, 'listening')
console.log(`\n  The chat is at http://127.0.0.1:${PORT}\n`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())

async function close(): Promise<void> {
  server.closeAllConnections()
  server.close()
  await Promise.all([agent.close(), vite.close()])
  process.exit(0)
}

async function findHeldline(): Promise<Heldline> {
  const { HELDLINE_URL, HELDLINE_KEY } = process.env
  if (HELDLINE_URL !== undefined) return { url: HELDLINE_URL, key: HELDLINE_KEY ?? '' }
  const url = `http://127.0.0.1:${HELDLINE_PORT}`
  const key = `chat:${randomBytes(24).toString('hex')}`
  const server = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', file('../../src/main.ts'), 'serve'],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        PORT: HELDLINE_PORT,
        DATA_DIR: file('./data'),
        API_KEYS: key,
        LOG_LEVEL: 'warn',
        ALLOWED_ORIGINS: `http://127.0.0.1:${PORT},http://localhost:${PORT}`,
        // Who is away for ten seconds gets a mail.
        WEBHOOK_URL: `http://127.0.0.1:${PORT}/api/hook`,
        WEBHOOK_SECRET: secret,
        WEBHOOK_ALLOW_PRIVATE: 'true',
        DELIVERY_AFTER_MS: '10000',
      },
    },
  )
  server.once('exit', (code) => process.exit(code ?? 1))
  process.once('exit', () => server.kill())
  for (;;) {
    const ready = await fetch(`${url}/readyz`).catch(() => null)
    if (ready?.ok === true) return { url, key }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
