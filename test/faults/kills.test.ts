import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../support/history-checker.ts'
import type { AgentPublisher } from '../support/agent-publisher.ts'
import type { ProtocolClient } from '../support/protocol-client.ts'
import { warmUp, type ServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const RUNS = Number(process.env['FAULT_RUNS'] ?? 10)
const ROUNDS = 5
/** What must flow, to everybody, between one kill and the next. */
const ACKNOWLEDGED_BETWEEN = 30

const runs = Array.from({ length: RUNS }, (_, index) => index + 1)

const verdicts: Report[] = []

beforeAll(warmUp)

afterAll(() => {
  const sum = (name: keyof Report['counts']): number =>
    verdicts.reduce((total, { counts }) => total + counts[name], 0)
  console.log(
    `${verdicts.length} of ${2 * RUNS} runs without a violation: ${sum('nemeses')} kills, ${sum('acknowledged')} events acknowledged, ` +
      `${sum('unknown')} answers unknown, ${sum('attaches')} attaches, ${sum('taken')} events seen`,
  )
})

describe('two nodes on one Redis, each killed again and again in the middle of the stream (R14, S2-06)', () => {
  test.each(runs)(
    'run %i: nothing acknowledged is lost, doubled or out of order',
    async () => {
      const stage = new Stage()
      const redis = await stage.redis()
      const env = { REDIS_URL: redis.url }
      const nodes = await Promise.all([stage.node(env), stage.node(env)])
      const verdict = await play(stage, nodes)
      expect(verdict.counts.nemeses).toBe(ROUNDS * nodes.length)
      guard(verdict)
    },
    120_000,
  )
})

describe('one node on SQLite, killed again and again in the middle of the stream', () => {
  test.each(runs)(
    'run %i: nothing acknowledged is lost, doubled or out of order',
    async () => {
      const stage = new Stage()
      const verdict = await play(stage, [await stage.node()])
      expect(verdict.counts.nemeses).toBe(ROUNDS)
      guard(verdict)
    },
    120_000,
  )
})

async function play(stage: Stage, nodes: readonly ServerProcess[]): Promise<Report> {
  const genesis = await stage.open()
  const everything = { position: genesis, catchup: 'events' } as const
  const clients = [
    stage.client('ann', everything, 0),
    stage.client('ben', everything, 1),
    stage.client('cem', everything, 0),
    stage.client('dora', {}, 1),
    stage.client('eve', {}, 0),
  ]
  const agents = [stage.agent('writer'), stage.agent('producer', { by: 'producer' })]
  const work = Promise.all(agents.map((agent) => agent.run()))
  // It is awaited at the end; a failure before that must not be an unheard one.
  work.catch(() => undefined)
  for (let round = 0; round < ROUNDS; round++) {
    for (const node of nodes) await killMidStream(stage, node, agents, clients, round)
  }
  for (const agent of agents) agent.stop()
  await work
  const verdict = await stage.judge()
  expect(stage.history.of('history')[0]?.events.length).toBeGreaterThan(verdict.counts.acknowledged)
  return verdict
}

async function killMidStream(
  stage: Stage,
  node: ServerProcess,
  agents: readonly AgentPublisher[],
  clients: readonly ProtocolClient[],
  round: number,
): Promise<void> {
  const acknowledged = (): number => agents.reduce((sum, agent) => sum + agent.acknowledged, 0)
  const before = acknowledged()
  await until('the stream flows', () => acknowledged() >= before + ACKNOWLEDGED_BETWEEN)
  const reached = Math.max(...clients.map(({ serial }) => serial))
  await until('everybody reads on', () => clients.every(({ serial }) => serial > reached))
  // Now, while appends are under way, and not after them.
  stage.nemesis(`kill ${node.url}`)
  await node.kill('SIGKILL')
  clients[round % clients.length]?.drop()
  await node.restart()
}

/** A run in which little happened proves little. */
function guard(verdict: Report): void {
  const kills = verdict.counts.nemeses
  expect(verdict.counts.acknowledged).toBeGreaterThanOrEqual(kills * ACKNOWLEDGED_BETWEEN)
  expect(verdict.counts.attaches).toBeGreaterThanOrEqual(5 + kills * 2)
  expect(verdict.counts.taken).toBeGreaterThanOrEqual(3 * verdict.counts.acknowledged)
  expect(verdict.counts.unknown).toBeGreaterThanOrEqual(1)
  expect(verdict.counts.resets).toBe(0)
  verdicts.push(verdict)
}
