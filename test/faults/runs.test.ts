import { beforeAll, expect, test } from 'vitest'
import { type ServerProcess, warmUp } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { Agent, LEASE_MS } from './run-process.ts'
import { Stage } from './stage.ts'

const ROUNDS = 2
const RUNS = 20
/** Of those that write at the same time: what they write must not be what takes all the time. */
const PACE_MS = 150
/** A loss must be known within this, whatever else happens meanwhile. */
const KNOWN_WITHIN_MS = 30_000

beforeAll(warmUp)

interface Told {
  readonly at: number
  readonly id: string
  readonly type: string
  readonly by: { readonly run?: string }
  readonly data: Readonly<Record<string, unknown>>
}

async function onRedis() {
  const stage = new Stage()
  const redis = await stage.redis()
  const env = { REDIS_URL: redis.url }
  const nodes = await Promise.all([stage.node(env), stage.node(env)])
  await stage.open()
  return { stage, nodes }
}

async function onSqlite() {
  const stage = new Stage()
  const nodes = [await stage.node()]
  await stage.open()
  return { stage, nodes }
}

function agent(stage: Stage, name: string, run: string, env: Record<string, string> = {}): Agent {
  const { session, urls } = stage
  return new Agent(name, { RUN: run, SESSION: session, URLS: urls.join(','), ...env })
}

const ADOPTS = { ADOPT: 'yes' }

/** Everything of a run, in order. */
async function toldOf(stage: Stage, run: string, node: ServerProcess): Promise<readonly Told[]> {
  const all: Told[] = []
  for (let after = 0; ;) {
    const page = await stage.ask('GET', `/events?after=${after}&limit=1000`, undefined, node.url)
    const events = page['events'] as (Told & { serial: number })[]
    all.push(...events)
    after = events.at(-1)?.serial ?? after
    if (page['more'] !== true) return all.filter(({ by }) => by.run === run)
  }
}

async function lost(stage: Stage, run: string, node: ServerProcess): Promise<void> {
  let status: unknown
  await until(
    'the run is lost',
    async () => {
      status = (await stage.ask('GET', `/runs/${run}`, undefined, node.url))['status']
      return status === 'lost'
    },
    { withinMs: KNOWN_WITHIN_MS, instead: () => status },
  )
}

/** While the old run is open for whoever adopts it, what a person says next is accepted, and has a run. */
async function nextIsAccepted(stage: Stage, run: string, node: ServerProcess): Promise<void> {
  const input = `${run}-next`
  const parts = [{ type: 'text', text: 'Are you still there?' }]
  const sent = await stage.ask('POST', '/inputs', { input, mode: 'queue', parts }, node.url)
  expect(sent).toMatchObject({ outcome: 'queued' })
  const next = await stage.ask('POST', '/runs', { run: input, trigger: input }, node.url)
  expect(next).toMatchObject({ created: true, epoch: 1 })
  const over = await stage.ask('POST', `/inputs/${input}/cancel`, {}, node.url)
  expect(over).toMatchObject({ cancelled: true, run: input, status: 'cancelled' })
}

/**
 * One start, one adoption after each loss, one end; a message without a gap or a repetition; and nothing that a process said once another had its run.
 * @param agents in the order in which they held it
 */
async function judge(stage: Stage, run: string, agents: readonly Agent[], node: ServerProcess) {
  const events = await toldOf(stage, run, node)
  const types = events.map(({ type }) => type)
  const runs = types.filter((type) => type.startsWith('run.') && type !== 'run.status')
  const losses = agents.slice(1).flatMap(() => ['run.lost', 'run.resumed'])
  expect(runs).toEqual(['run.started', ...losses, 'run.finished'])
  expect(types.at(-1)).toBe('run.finished')
  const ids = events.filter(({ type }) => type === 'message.delta').map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  let from = 0
  for (const { name, wrote } of agents) {
    const late = events.slice(0, from).filter(({ id }) => id.startsWith(`${name}-`))
    const early = events.slice(from).findIndex(({ type }) => type === 'run.lost')
    const after = early < 0 ? [] : events.slice(from + early)
    expect([late, after.filter(({ id }) => id.startsWith(`${name}-`))]).toEqual([[], []])
    for (const id of wrote) expect(ids).toContain(id)
    from += early + 1
  }
  const { messages } = (await stage.ask('GET', '/messages?limit=200', undefined, node.url)) as {
    messages: { id: string; status: string; parts: { text: string }[] }[]
  }
  const message = messages.find(({ id }) => id === `m-${run}`)
  expect(message?.status).toBe('completed')
  expect(message?.parts).toEqual([{ type: 'text', text: ids.map((id) => `${id} `).join('') }])
  return events
}

async function noOrphans(stage: Stage): Promise<void> {
  for (const { url } of stage.nodes) {
    expect((await stage.ask('GET', '/runs?status=live', undefined, url))['runs']).toEqual([])
    const page = await stage.ask('GET', '/messages?limit=200', undefined, url)
    const open = (page['messages'] as { status: string }[]).filter(
      ({ status }) => status === 'open',
    )
    expect(open).toEqual([])
  }
}

test('an agent is killed, with its node and without: its run is lost in time, the next one starts, and another process goes on in the same message [R5] [R6] [S4-14] [S4-18]', async () => {
  const { stage, nodes } = await onRedis()
  const [near, far] = nodes
  for (let round = 0; round < ROUNDS; round++) {
    const run = `killed-${round}`
    const first = agent(stage, `first-${round}`, run)
    await first.writes()
    // Every other time the node that it talks to dies with it.
    await Promise.all([first.kill(), ...(round % 2 === 1 ? [near.kill()] : [])])
    await lost(stage, run, far)
    await nextIsAccepted(stage, run, far)
    const second = agent(stage, `second-${round}`, run, ADOPTS)
    expect(await second.told('epoch')).toBe(2)
    await second.writes()
    if (!near.running) await near.restart()
    second.finish()
    await second.told('finished')
    const events = await judge(stage, run, [first, second], far)
    const end = events.findIndex(({ type }) => type === 'run.lost')
    const heard = events.slice(0, end).findLast(({ type }) => type === 'message.delta')
    // Not long before its time, whatever a slow machine adds to it.
    expect((events[end]?.at ?? 0) - (heard?.at ?? 0)).toBeGreaterThanOrEqual(LEASE_MS / 2)
  }
  await noOrphans(stage)
}, 180_000)

/** One process stands still, the next is killed, the third comes to the end; and the first is woken up meanwhile. */
async function threeProcesses(stage: Stage, run: string, node: ServerProcess): Promise<void> {
  const pace = { PACE_MS: String(PACE_MS) }
  const zombie = agent(stage, `zombie-${run}`, run, pace)
  await zombie.writes(5)
  zombie.signal('SIGSTOP')
  await lost(stage, run, node)
  await nextIsAccepted(stage, `${run}-a`, node)
  const second = agent(stage, `second-${run}`, run, { ...pace, ...ADOPTS })
  await second.writes(5)
  zombie.signal('SIGCONT')
  expect(await zombie.told('refused')).toBe('run_fenced')
  await second.writes(5)
  await second.kill()
  await lost(stage, run, node)
  await nextIsAccepted(stage, `${run}-b`, node)
  const third = agent(stage, `third-${run}`, run, { ...pace, ...ADOPTS })
  expect(await third.told('epoch')).toBe(3)
  await third.writes(5)
  third.finish()
  await third.told('finished')
  const events = await judge(stage, run, [zombie, second, third], node)
  const statuses = events.filter(({ type }) => type === 'run.status').map(({ data }) => data)
  expect(statuses.filter(({ status }) => status === 'stalled').length).toBeGreaterThanOrEqual(2)
}

test.each([
  ['SQLite', onSqlite],
  ['Redis, through two nodes', onRedis],
])(
  `${RUNS} runs on %s lose two processes each, one killed and one that stands still: each is told in time, does not hold up what comes next, and goes on; who is woken up is refused; no orphan [R5] [R6] [S0-11] [S4-14] [S4-18]`,
  async (_name, open) => {
    const { nodes } = await open()
    const rooms = await Promise.all(
      Array.from({ length: RUNS }, async () => {
        const room = new Stage()
        room.nodes.push(...nodes)
        await room.open()
        return room
      }),
    )
    const began = performance.now()
    await Promise.all(
      rooms.map((room, i) => {
        const node = nodes[i % nodes.length]
        if (node === undefined) throw new Error('there is no node')
        return threeProcesses(room, `run-${i}`, node)
      }),
    )
    for (const room of rooms) await noOrphans(room)
    console.log(`${RUNS} runs, ${RUNS * 2} losses: ${Math.round(performance.now() - began)} ms`)
  },
  180_000,
)
