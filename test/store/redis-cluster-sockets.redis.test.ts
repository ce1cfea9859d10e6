import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createAgent } from '../../src/agent/index.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { bucketOf, slotOf } from '../../src/store/redis/keys.ts'
import { startLocalServer, TEST_KEY, type LocalServer } from '../support/local-server.ts'
import { startCluster, type RedisCluster } from '../support/redis-server.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const PRIMARIES = 3

describe('runs that are beaten for over sockets of two nodes, on a Redis Cluster [P-10.12]', () => {
  let cluster: RedisCluster
  let here: LocalServer
  let there: LocalServer
  /** Before each of them: their sockets can be cut. */
  let proxies: readonly [TcpProxy, TcpProxy]
  beforeAll(async () => {
    cluster = await startCluster(PRIMARIES)
    const env = { REDIS_URL: cluster.nodes[0]?.url ?? '', REDIS_CLUSTER: 'true' }
    here = await startLocalServer(env)
    there = await startLocalServer(env)
    const before = (server: LocalServer) => startProxy(Number(new URL(server.url).port))
    proxies = [await before(here), await before(there)]
  })
  afterAll(async () => {
    for (const proxy of proxies ?? []) await proxy.close()
    await here?.close()
    await there?.close()
    await cluster?.stop()
  })

  async function ask(
    { url }: LocalServer,
    method: string,
    path: string,
    body?: object,
  ): Promise<Record<string, unknown>> {
    const response = await fetch(`${url}/v1/sessions/${path}`, {
      method,
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
    return (await response.json()) as Record<string, unknown>
  }

  /** What a node tells of a run. */
  async function toldBy(node: LocalServer, session: string): Promise<readonly string[]> {
    const { events } = await ask(node, 'GET', `${session}/events?after=0&limit=1000`)
    return (events as { type: string; data: { status?: string } }[])
      .filter(({ type }) => type.startsWith('run.'))
      .map(({ type, data }) => [type, data.status ?? ''].join(' ').trim())
  }

  /** A session of each primary. */
  function sessions(prefix: string): readonly string[] {
    const found = new Map<number, string>()
    for (let i = 0; found.size < PRIMARIES; i++) {
      const id = `${prefix}-${i}`
      found.set(Math.floor((slotOf(bucketOf(id as SessionId)) * PRIMARIES) / 16_384), id)
    }
    return [...found.values()]
  }

  /** A socket through a proxy that has beaten for the run of each session. */
  async function beating(proxy: TcpProxy, all: readonly string[]): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/v1/connect`, 'heldline.v1')
    onTestFinished(() => socket.close())
    const send = (frame: object): void => socket.send(JSON.stringify(frame))
    socket.addEventListener('open', () => send({ op: 'auth', ref: 'auth', token: TEST_KEY }))
    const answered: unknown[] = []
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(String(data)) as { type: string; ref?: string }
      if (frame.type === 'ok' || frame.type === 'error') answered.push(frame)
      if (frame.type !== 'welcome') return
      for (const session of all) send({ op: 'beat', ref: session, session, run: 'r', epoch: 1 })
    })
    await until('the beats are answered', () => answered.length === all.length)
    expect(answered).toMatchObject(all.map(() => ({ type: 'ok', run: { live: true } })))
  }

  test('the newest socket stands for the agent, at whichever node: its loss alone is told, at both, on every primary [R5]', async () => {
    const all = sessions('sockets')
    const last = 'sockets-last'
    for (const session of [...all, last]) {
      await ask(here, 'PUT', session, {})
      await ask(here, 'POST', `${session}/runs`, { run: 'r' })
    }
    // The loss is told in the order of the beats: what it says of the last one it says after all that it says of the others.
    await beating(proxies[0], [...all, last])
    await beating(proxies[1], all)
    proxies[0].cut()
    await until('the loss is told', async () => {
      return (await toldBy(there, last)).at(-1) === 'run.status stalled'
    })
    for (const session of all) expect(await toldBy(there, session)).toEqual(['run.started'])
    proxies[1].cut()
    for (const session of all) {
      for (const node of [here, there]) {
        await until('its run is lost', async () => {
          return (await toldBy(node, session)).at(-1) === 'run.lost'
        })
        const told = await toldBy(node, session)
        expect(told).toEqual(['run.started', 'run.status stalled', 'run.lost'])
      }
    }
  })

  test('an agent of the SDK whose socket is cut again and again is never lost [R5]', async () => {
    const all = sessions('sdk')
    const agent = createAgent({ url: `http://127.0.0.1:${proxies[0].port}`, apiKey: TEST_KEY })
    onTestFinished(() => agent.close())
    let cuts = 0
    const working = all.map(async (id) => {
      const session = agent.session(id)
      await session.open()
      return session.run({ run: 'r', leaseMs: 5000 }, async (run) => {
        await until('it was cut three times', async () => {
          await run.text('. ')
          await run.flush()
          return cuts >= 3
        })
      })
    })
    for (; cuts < 3; cuts++) {
      // Each time it has been heard of again.
      await until('nobody is stalled', async () => {
        const told = await Promise.all(all.map((id) => statusOf(id)))
        return told.every((status) => status === 'streaming' || status === 'thinking')
      })
      proxies[0].cut()
    }
    for (const result of await Promise.all(working)) {
      expect(result).toMatchObject({ started: true, status: 'finished' })
    }
    for (const id of all) expect(await toldBy(there, id)).not.toContain('run.lost')
  })

  async function statusOf(session: string): Promise<unknown> {
    const response = await fetch(`${there.url}/v1/sessions/${session}/runs/r`, {
      headers: { authorization: `Bearer ${TEST_KEY}` },
    })
    return response.ok ? ((await response.json()) as { status: unknown }).status : null
  }
})
