import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { pause, until } from '../support/until.ts'
import { agentIn, BOTH, KINDS, LACKING, logOf, NGINX, openLines, start } from './proxy-stage.ts'

if (!BOTH) test.skip(LACKING)

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
})
afterAll(() => server?.stop())

describe.skipIf(!BOTH)('an agent that streams the lines of a body', () => {
  const linesIn = async (id: string): Promise<unknown[]> =>
    (await logOf(server.url, id)).filter(({ type }) => type === 'x.line').map(({ data }) => data)
  const has = (id: string, count: number) =>
    until(`${count} lines`, async () => (await linesIn(id)).length === count)

  test.for(KINDS)(
    'through $name: each line is in the log before the next is written, and a body of megabytes goes through [P-9.3]',
    async (kind) => {
      const proxy = await start(kind, server.port, {}, onTestFinished)
      const id = `lines-${kind.name}`
      await agentIn(server.url, id, onTestFinished)
      const lines = openLines(proxy.url, id, 'once')
      for (let n = 0; n < 5; n++) {
        lines.write(n)
        await has(id, n + 1)
      }
      for (let n = 5; n < 45; n++) lines.write(`${n}${'.'.repeat(60_000)}`)
      const { status, last } = await lines.end()
      expect([status, JSON.parse(last)]).toMatchObject([200, { lines: 45 }])
      expect((await linesIn(id)).map((line) => Number.parseInt(String(line), 10))).toEqual(
        Array.from({ length: 45 }, (_, n) => n),
      )
    },
  )

  test.for(KINDS)(
    'through $name that holds bodies back: all is there at the end, each line once [P-9.3]',
    async (kind) => {
      const proxy = await start(
        kind,
        server.port,
        kind === NGINX
          ? { 'proxy_request_buffering off;': '' }
          : { 'option forwardfor': 'option forwardfor\n  option http-buffer-request' },
        onTestFinished,
      )
      const id = `held-lines-${kind.name}`
      await agentIn(server.url, id, onTestFinished)
      const lines = openLines(proxy.url, id, 'once')
      for (let n = 0; n < 20; n++) {
        lines.write(n)
        await pause(20)
      }
      expect(await linesIn(id)).toEqual([])
      expect((await lines.end()).status).toBe(200)
      expect(await linesIn(id)).toEqual(Array.from({ length: 20 }, (_, n) => n))
    },
  )

  test.concurrent.for(KINDS)(
    'through $name that cuts it because it says nothing: sent again with its key, each line stands once [P-2.5] (R3)',
    async (kind, { onTestFinished: ended }) => {
      const proxy = await start(kind, server.port, { '60s': '1s' }, ended)
      const id = `silent-lines-${kind.name}`
      await agentIn(server.url, id, ended)
      const lines = openLines(proxy.url, id, 'once')
      for (let n = 0; n < 3; n++) lines.write(n)
      await has(id, 3)
      await lines.lost()
      const again = openLines(proxy.url, id, 'once')
      for (let n = 0; n < 6; n++) again.write(n)
      expect((await again.end()).status).toBe(200)
      expect(await linesIn(id)).toEqual(Array.from({ length: 6 }, (_, n) => n))
    },
  )

  test.for(KINDS)(
    'through $name that cuts it in the middle: sent again with its key, each line stands once [P-2.5] (S4-21, R3)',
    async (kind) => {
      const proxy = await start(kind, server.port, {}, onTestFinished)
      const id = `cut-lines-${kind.name}`
      await agentIn(server.url, id, onTestFinished)
      const lines = openLines(proxy.url, id, 'once')
      for (let n = 0; n < 5; n++) lines.write(n)
      await has(id, 5)
      await proxy.cut()
      await lines.lost()
      const again = openLines(proxy.url, id, 'once')
      for (let n = 0; n < 10; n++) again.write(n)
      expect((await again.end()).status).toBe(200)
      expect(await linesIn(id)).toEqual(Array.from({ length: 10 }, (_, n) => n))
    },
  )
})
