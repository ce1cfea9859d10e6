import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import { createClient } from '../../src/client/create-client.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { pause, until } from '../support/until.ts'

/** `HELDLINE_LONG_RUN_MS=600000` makes it ten minutes, through a proxy that cuts whatever is 60 s old. */
const RUN_MS = Number(process.env['HELDLINE_LONG_RUN_MS'] ?? 15_000)
const CUT_EVERY_MS = Math.min(60_000, RUN_MS / 8)
const WORD_EVERY_MS = RUN_MS / 500

/** As a proxy that ends every connection after a while, whatever goes on in it. */
async function startCuttingProxy(server: ServerProcess): Promise<TcpProxy> {
  const proxy = await startProxy(server.port)
  const timer = setInterval(() => proxy.cut(), CUT_EVERY_MS)
  onTestFinished(() => {
    clearInterval(timer)
    return proxy.close()
  })
  return proxy
}

describe('a long run through proxies that cut every connection again and again', () => {
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServerProcess()
  })
  afterAll(() => server?.stop())

  test(
    'arrives whole, as one run (R7, S0-01, S0-06, S3-01)',
    async () => {
      const before = await startCuttingProxy(server)
      const behind = await startCuttingProxy(server)
      const agent = createAgent({ url: `http://127.0.0.1:${before.port}`, apiKey: API_KEY })
      onTestFinished(() => agent.close())
      const session = agent.session('long')
      await session.open()
      const client = createClient({ url: `http://127.0.0.1:${behind.port}`, token: API_KEY })
      onTestFinished(() => client.close())
      const watched = client.session('long')
      const serials: number[] = []
      watched.on('event', ({ serial }) => serials.push(serial))
      await until('it watches', () => client.state === 'live')

      let words = ''
      const done = await session.run({ trigger: 'prompt', agent: 'writer' }, async (run) => {
        const end = performance.now() + RUN_MS
        for (let n = 0; performance.now() < end; n++) {
          const word = `w${n} `
          words += word
          await run.text(word)
          await pause(WORD_EVERY_MS)
        }
        return 'whole'
      })
      expect(done).toMatchObject({ started: true, status: 'finished', output: 'whole' })
      const head = async (): Promise<number> => {
        const response = await fetch(`${server.url}/v1/sessions/long/events?after=0&limit=1`, {
          headers: { authorization: `Bearer ${API_KEY}` },
        })
        const { head: position } = (await response.json()) as { head: string }
        return Number(position.split('.')[1])
      }
      const last = await head()
      await until('all is there', () => watched.view.position.serial === last)
      const first = serials[0] ?? 0
      expect(serials).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i))
      expect(watched.messages.map(({ parts }) => parts.map(({ text }) => text).join(''))).toEqual([
        words,
      ])
      expect(watched.view.runs.size).toBe(1)
    },
    RUN_MS + 60_000,
  )
})
