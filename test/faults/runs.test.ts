import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { API_KEY, type ServerProcess, warmUp } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const WRITER = join(import.meta.dirname, '../support/run-writer.ts')
const LEASE_MS = 5000
const ROUNDS = 2
/** A loss must be known within this, whatever else happens meanwhile. */
const KNOWN_WITHIN_MS = 30_000

beforeAll(warmUp)

interface Fact {
  readonly epoch?: number
  readonly wrote?: string
  readonly refused?: string
  readonly finished?: string
}

/** An agent's process, and what it has told of itself. */
class Agent {
  readonly facts: Fact[] = []
  readonly name: string
  readonly #child: ChildProcess

  constructor(name: string, env: Readonly<Record<string, string>>) {
    this.name = name
    const path = process.env['PATH'] ?? ''
    this.#child = spawn(process.execPath, [WRITER], {
      env: { PATH: path, AGENT: name, CREDENTIAL: API_KEY, LEASE_MS: String(LEASE_MS), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void this.#child.kill('SIGKILL'))
    const { stdout } = this.#child
    if (stdout === null) throw new Error('the agent has no output')
    createInterface({ input: stdout }).on('line', (line) => this.facts.push(JSON.parse(line)))
  }

  get wrote(): readonly string[] {
    return this.facts.flatMap(({ wrote }) => wrote ?? [])
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.signalCode === null) await once(this.#child, 'exit')
  }

  finish(): void {
    this.#child.stdin?.write('finish\n')
  }

  async writes(count = 20): Promise<void> {
    const before = this.wrote.length
    await until('the agent writes', () => this.wrote.length >= before + count, {
      instead: () => this.facts.at(-1),
    })
  }

  async told(what: keyof Fact): Promise<unknown> {
    const found = (): unknown => this.facts.find((fact) => fact[what] !== undefined)?.[what]
    await until(`the agent tells ${what}`, () => found() !== undefined, {
      instead: () => this.facts.at(-1),
    })
    return found()
  }
}

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

function agent(stage: Stage, name: string, run: string, adopts = false): Agent {
  const { session, urls } = stage
  return new Agent(name, {
    RUN: run,
    SESSION: session,
    URLS: urls.join(','),
    ...(adopts && { ADOPT: 'yes' }),
  })
}

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

/** While the old run is open for whoever adopts it, the next one starts. */
async function nextRunStarts(stage: Stage, run: string, node: ServerProcess): Promise<void> {
  const next = await stage.ask(
    'POST',
    '/runs',
    { run: `${run}-next`, trigger: `${run}-next` },
    node.url,
  )
  expect(next).toMatchObject({ created: true, epoch: 1 })
  await stage.ask('POST', `/runs/${run}-next/cancel`, {}, node.url)
}

/** One start, one adoption, one end; a message without a gap or a repetition; and nothing that the dead process said after it lost the run. */
async function judge(stage: Stage, run: string, first: Agent, second: Agent, node: ServerProcess) {
  const events = await toldOf(stage, run, node)
  const types = events.map(({ type }) => type)
  const runs = types.filter((type) => type.startsWith('run.') && type !== 'run.status')
  expect(runs).toEqual(['run.started', 'run.lost', 'run.resumed', 'run.finished'])
  expect(types.at(-1)).toBe('run.finished')
  const adopted = types.indexOf('run.resumed')
  const ids = events.filter(({ type }) => type === 'message.delta').map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  const late = events.slice(adopted).filter(({ id }) => id.startsWith(`${first.name}-`))
  expect(late).toEqual([])
  for (const id of [...first.wrote, ...second.wrote]) expect(ids).toContain(id)
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
    await nextRunStarts(stage, run, far)
    const second = agent(stage, `second-${round}`, run, true)
    expect(await second.told('epoch')).toBe(2)
    await second.writes()
    if (!near.running) await near.restart()
    second.finish()
    await second.told('finished')
    const events = await judge(stage, run, first, second, far)
    const end = events.findIndex(({ type }) => type === 'run.lost')
    const heard = events.slice(0, end).findLast(({ type }) => type === 'message.delta')
    // Not long before its time, whatever a slow machine adds to it.
    expect((events[end]?.at ?? 0) - (heard?.at ?? 0)).toBeGreaterThanOrEqual(LEASE_MS / 2)
  }
  await noOrphans(stage)
}, 180_000)

test('an agent stands still until another process has its run: woken up, it is refused, and says nothing more [R5] [R6] [S0-11]', async () => {
  const { stage, nodes } = await onRedis()
  const [near, far] = nodes
  for (let round = 0; round < ROUNDS; round++) {
    const run = `stopped-${round}`
    const first = agent(stage, `first-${round}`, run)
    await first.writes()
    first.signal('SIGSTOP')
    await lost(stage, run, near)
    const second = agent(stage, `second-${round}`, run, true)
    await second.writes()
    first.signal('SIGCONT')
    expect(await first.told('refused')).toBe('run_fenced')
    await second.writes()
    second.finish()
    await second.told('finished')
    const events = await judge(stage, run, first, second, far)
    const statuses = events.filter(({ type }) => type === 'run.status').map(({ data }) => data)
    expect(statuses.map(({ status }) => status)).toContain('stalled')
  }
  await noOrphans(stage)
}, 180_000)
