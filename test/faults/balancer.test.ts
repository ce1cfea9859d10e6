import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import { createClient } from '../../src/client/create-client.ts'
import { freePort } from '../support/free-port.ts'
import { HAPROXY_IS_HERE } from '../support/haproxy.ts'
import { findProgram, launchProxy } from '../support/proxy-process.ts'
import { API_KEY } from '../support/server-process.ts'
import { pause, until } from '../support/until.ts'
import { Stage } from './stage.ts'

const SHIPPED = join(import.meta.dirname, '../../deploy/haproxy.cfg')

/** The balancer of docker-compose.yml, with the addresses of this machine in the place of its hosts. */
async function startBalancer(nodes: readonly { readonly port: number }[]): Promise<string> {
  const port = await freePort()
  const addresses = nodes.map(
    (node, at) => [` node${at + 1}:4400 `, ` 127.0.0.1:${node.port} `] as const,
  )
  let config = await readFile(SHIPPED, 'utf8')
  for (const [there, here] of [['bind :4400', `bind 127.0.0.1:${port}`] as const, ...addresses]) {
    if (!config.includes(there)) throw new Error(`${SHIPPED} has no "${there}"`)
    config = config.replace(there, here)
  }
  const folder = await mkdtemp(join(tmpdir(), 'heldline-balancer-'))
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, config)
  const program = findProgram('haproxy', 'HAPROXY_BIN') ?? 'haproxy'
  const proxy = await launchProxy({ program, args: ['-db', '-f', file], folder, port })
  onTestFinished(() => proxy.stop())
  return proxy.url
}

test.skipIf(!HAPROXY_IS_HERE)(
  'three nodes behind the balancer that is shipped with them are one: whichever is killed, who watches and the agent go on, and nothing is lost (R14)',
  async () => {
    const stage = new Stage()
    const redis = await stage.redis()
    const env = { REDIS_URL: redis.url }
    const nodes = await Promise.all([stage.node(env), stage.node(env), stage.node(env)])
    const url = await startBalancer(nodes)
    await until('a node is known to be well', async () => (await fetch(`${url}/readyz`)).ok)
    const agent = createAgent({ url, apiKey: API_KEY })
    onTestFinished(() => agent.close())
    const session = agent.session('balanced')
    await session.open()
    const clients = [1, 2, 3, 4].map(() => createClient({ url, token: API_KEY }))
    onTestFinished(() => clients.forEach((client) => client.close()))
    const watched = clients.map((client) => client.session('balanced'))
    const words = (at: number): string =>
      watched[at]?.messages
        .at(-1)
        ?.parts.map(({ text = '' }) => text)
        .join('') ?? ''
    for (const one of watched) one.attach()

    let said = ''
    const stop = new AbortController()
    const run = session.run({ agent: 'talker' }, async (run) => {
      for (let at = 0; !stop.signal.aborted; at++) {
        await run.text(`w${at} `)
        said += `w${at} `
        await pause(10)
      }
    })
    for (const node of nodes) {
      const before = said.length
      await until('all see more', () => watched.every((_, at) => words(at).length > before + 100))
      await node.kill()
      const at = said.length
      await until('all go on without it', () =>
        watched.every((_, one) => words(one).length > at + 100),
      )
      await node.restart()
    }
    stop.abort()
    await run
    await until('all have seen it all', () => watched.every((_, at) => words(at) === said))
    expect(nodes.map(({ kills }) => kills)).toEqual([1, 1, 1])
  },
  120_000,
)

test.skipIf(!HAPROXY_IS_HERE)(
  'the balancer that is shipped says who the client is, whatever that says of itself',
  async () => {
    const asked: unknown[] = []
    const node = createServer((request, response) => {
      if (request.url !== '/readyz') asked.push(request.headers['x-forwarded-for'])
      response.end()
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void node.close())
    await once(node, 'listening')
    // It listens at an address of IP.
    const { port } = node.address() as AddressInfo
    const url = await startBalancer([{ port }, { port }, { port }])
    const headers = { 'x-forwarded-for': '203.0.113.7' }
    await until('a node is known to be well', async () => (await fetch(`${url}/readyz`)).ok)
    await fetch(`${url}/v1/sessions`, { headers })
    expect(asked).toEqual(['127.0.0.1'])
  },
  30_000,
)
