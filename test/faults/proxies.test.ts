import { FAST } from '../support/fast-clock.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { pause, until } from '../support/until.ts'
import {
  agentIn,
  BOTH,
  BUFFERS,
  HAPROXY,
  HOLDS_A_LITTLE_BACK,
  HOLDS_BACK,
  KINDS,
  LACKING,
  logOf,
  NGINX,
  start,
  textOf,
  watch,
  type Watcher,
  WITHOUT_WEBSOCKETS,
} from './proxy-stage.ts'

/** `HELDLINE_LONG_RUN_MS=300000` takes the times of real deployments: 60 s until a silent line is cut, heartbeats of 15 s, cuts every 60 s. */
const LONG = process.env['HELDLINE_LONG_RUN_MS']
const REAL = LONG !== undefined
const RUN_MS = Number(LONG ?? 8000)
const CUT_EVERY_MS = REAL ? 60_000 : RUN_MS / 4
const IDLE_MS = REAL ? 60_000 : 4000
const HEARTBEAT_MS = IDLE_MS / 4
const SILENCE_MS = REAL ? RUN_MS * 1.2 : IDLE_MS * 2.25

if (!BOTH) test.skip(LACKING)

let server: ServerProcess
/** One that says nothing by itself for as long as a test takes: what a proxy cuts. */
let silent: ServerProcess
beforeAll(async () => {
  server = await startServerProcess({ HEARTBEAT_MS: `${HEARTBEAT_MS}` })
  silent = await startServerProcess({ HEARTBEAT_MS: '60000', PRESENCE_TTL_MS: '120000' })
})
afterAll(async () => {
  await server?.stop()
  await silent?.stop()
})

const portOf = (url: string): number => Number(new URL(url).port)
const idle = { '60s': `${IDLE_MS}ms` }

/** It has every event of the log from the first that it saw, each once, in order. */
async function hasAll({ serials, session }: Watcher, url = server.url): Promise<void> {
  const last = (await logOf(url, session.id)).at(-1)?.serial ?? 0
  await until('all is there', () => session.view.position.serial === last)
  const first = serials[0] ?? 0
  expect(serials).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i))
}

describe.skipIf(!BOTH)(`a proxy that cuts what is silent for ${IDLE_MS / 1000} s`, () => {
  // At once, since they only wait.
  test.concurrent.for(KINDS)(
    '$name cuts nothing in a silence twice as long, before the first token and while a tool is waited for (S0-04, S3-09, S4-01, S4-03, R7)',
    { timeout: SILENCE_MS + 60_000 },
    async (kind, { onTestFinished: ended }) => {
      const proxy = await start(kind, server.port, idle, ended)
      const id = `silent-${kind.name}`
      // Its long-polls are held for longer than a shortened time-out lets them.
      const agent = await agentIn(REAL ? proxy.url : server.url, id, ended)
      const readers = (['websocket', 'sse'] as const).map((by) => watch(proxy.url, id, by, ended))
      await until('all watch', () => readers.every(({ live }) => live))
      const done = agent.run({ trigger: 'prompt' }, (run) =>
        run.tool('search', { for: 'tea' }, async () => {
          await pause(SILENCE_MS)
          return 'leaves'
        }),
      )
      await done
      for (const reader of readers) {
        await hasAll(reader)
        expect(reader.session.messages[0]?.parts[0]).toMatchObject({ name: 'search' })
        expect(JSON.stringify(reader.session.messages)).toContain('leaves')
      }
      expect(readers.map(({ opened }) => opened)).toEqual([['websocket'], ['sse']])
    },
  )

  test.concurrent.for(REAL ? [] : KINDS)(
    '$name cuts a server that is silent for longer, and the client goes on: the time-out is real',
    async (kind, { onTestFinished: ended }) => {
      const proxy = await start(kind, silent.port, idle, ended)
      const id = `cut-${kind.name}`
      const agent = await agentIn(silent.url, id, ended)
      const readers = (['websocket', 'sse'] as const).map((by) => watch(proxy.url, id, by, ended))
      await until('all watch', () => readers.every(({ live }) => live))
      await until('each was cut', () => readers.every(({ opened }) => opened.length > 1))
      await agent.run({ trigger: 'prompt' }, (run) => run.text('still here'))
      await until('all have it', () =>
        readers.every(({ session }) => textOf(session)[0] === 'still here'),
      )
    },
  )
})

describe.skipIf(!BOTH)('a proxy without WebSockets', () => {
  test.for(KINDS)(
    '$name does not hold back a stream that asks for it by its headers, so server-sent events carry [S4-04]',
    async (kind) => {
      // Compression is what makes a haproxy hold back.
      const squeezed = {
        ...WITHOUT_WEBSOCKETS.haproxy,
        'balance leastconn':
          'balance leastconn\n  compression algo gzip\n  compression type text/event-stream application/json',
      }
      const changes = kind === NGINX ? BUFFERS : squeezed
      const proxy = await start(kind, server.port, changes, onTestFinished)
      const id = `stream-${kind.name}`
      const agent = await agentIn(server.url, id, onTestFinished)
      const reader = watch(proxy.url, id, 'auto', onTestFinished)
      await until('it watches', () => reader.live)
      await agent.run({ trigger: 'prompt' }, (run) => run.text('as it is written'))
      await until('it is there', () => textOf(reader.session)[0] === 'as it is written')
      await hasAll(reader)
      expect(reader.opened).toEqual(['websocket', 'websocket', 'sse'])
      const { headers } = await fetch(`${proxy.url}/v1/sessions/${id}`, {
        headers: { authorization: `Bearer ${API_KEY}` },
      })
      expect(headers.get('content-encoding')).toBe(kind === HAPROXY ? 'gzip' : null)
    },
  )

  test.concurrent.for([{ way: 'nginx' }, { way: 'haproxy before such an nginx' }])(
    '$way that holds answers back all the same: the client notices, long-polling carries, and nothing is lost [S4-04] (R7)',
    async ({ way }, { onTestFinished: ended }) => {
      const buffering = await start(NGINX, server.port, HOLDS_BACK, ended)
      const { url } =
        way === 'nginx' ? buffering : await start(HAPROXY, portOf(buffering.url), {}, ended)
      const id = `held-${way.length}`
      const agent = await agentIn(server.url, id, ended)
      const reader = watch(url, id, 'auto', ended)
      let words = ''
      await agent.run({ trigger: 'prompt' }, async (run) => {
        for (let n = 0, after = 0; after < 20; n++) {
          words += `w${n} `
          await run.text(`w${n} `)
          if (reader.live) after += 1
          await pause(100)
        }
      })
      await hasAll(reader)
      expect(textOf(reader.session)).toEqual([words])
      expect(reader.opened.slice(0, 4)).toEqual(['websocket', 'websocket', 'sse', 'long-poll'])
      expect(new Set(reader.opened.slice(3))).toEqual(new Set(['long-poll']))
    },
  )

  test('nginx that holds back the end of a stream that pushes itself through: it is noticed by the watchdog, and long-polling carries [S4-04] [P-4.10]', async () => {
    const { url } = await start(NGINX, silent.port, HOLDS_A_LITTLE_BACK, onTestFinished)
    const agent = await agentIn(silent.url, 'pushed', onTestFinished)
    const reader = watch(url, 'pushed', 'auto', onTestFinished, FAST)
    let words = ''
    await agent.run({ trigger: 'prompt' }, async (run) => {
      for (let n = 0; n < 100 || !reader.live; n++) {
        words += `w${n} `
        await run.text(`w${n} `)
        await pause(10)
      }
      // Whoever comes again for this is let have its beginning, each time: the stream looks as if it carried.
      const long = 'and so on '.repeat(600)
      words += long
      await run.text(long)
    })
    await hasAll(reader, silent.url)
    expect(textOf(reader.session)).toEqual([words])
    expect(reader.opened.at(-1)).toBe('long-poll')
  })
})

describe.skipIf(!BOTH)(`a proxy that cuts every connection every ${CUT_EVERY_MS / 1000} s`, () => {
  test.concurrent.for(KINDS)(
    '$name: a run arrives whole, as one run, by sockets and by streams (R7, S4-21)',
    { timeout: RUN_MS + 60_000 },
    async (kind, { onTestFinished: ended }) => {
      const proxy = await start(kind, server.port, {}, ended)
      const id = `aged-${kind.name}`
      const agent = await agentIn(proxy.url, id, ended)
      const readers = (['websocket', 'sse'] as const).map((by) => watch(proxy.url, id, by, ended))
      await until('all watch', () => readers.every(({ live }) => live))
      let cuts = 0
      const timer = setInterval(() => void proxy.cut().then(() => cuts++), CUT_EVERY_MS)
      ended(() => clearInterval(timer))
      let words = ''
      const done = await agent.run({ trigger: 'prompt' }, async (run) => {
        const end = performance.now() + RUN_MS
        for (let n = 0; performance.now() < end; n++) {
          words += `w${n} `
          await run.text(`w${n} `)
          await pause(RUN_MS / 500)
        }
        return 'whole'
      })
      clearInterval(timer)
      expect(done).toMatchObject({ started: true, status: 'finished', output: 'whole' })
      expect(cuts).toBeGreaterThan(1)
      for (const reader of readers) {
        await hasAll(reader)
        expect(textOf(reader.session)).toEqual([words])
        expect(reader.session.view.runs.size).toBe(1)
        expect(reader.opened.length).toBeGreaterThan(1)
      }
    },
  )
})
