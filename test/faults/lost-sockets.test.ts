import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { API_KEY, warmUp } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const SUPPORT = join(import.meta.dirname, '../support')
const BY_HAND = 'socket-agent.ts'
const BY_SDK = 'sdk-agent.ts'
const ROUNDS = 3
/** 5 s are asked for; a busy machine may need longer, but never as long as the lease of 25 s. */
const KNOWN_WITHIN_MS = 15_000

beforeAll(warmUp)

interface Fact {
  readonly beat?: number
  readonly wrote?: number
  readonly disconnected?: number
  readonly refused?: string
}

interface Told {
  readonly at: number
  readonly type: string
  readonly data: { readonly run?: string; readonly status?: string }
}

/** An agent's process with a socket, and what it has told of itself. */
class Agent {
  readonly facts: Fact[] = []
  readonly #child: ChildProcess

  constructor(env: Readonly<Record<string, string>>, program = BY_HAND) {
    const path = process.env['PATH'] ?? ''
    this.#child = spawn(process.execPath, [join(SUPPORT, program)], {
      env: { PATH: path, CREDENTIAL: API_KEY, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => this.kill())
    const { stdout } = this.#child
    if (stdout === null) throw new Error('the agent has no output')
    createInterface({ input: stdout }).on('line', (line) => this.facts.push(JSON.parse(line)))
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async beats(count: number): Promise<void> {
    const beats = (): number => this.facts.findLast(({ beat }) => beat !== undefined)?.beat ?? 0
    const before = beats()
    await until('the agent beats', () => beats() >= before + count, {
      instead: () => this.facts.at(-1),
    })
  }
}

/** What somebody who watches is told of a run, and when. */
async function watched(url: string, id: string, run: string) {
  const client = createClient({ url, token: () => tokenFor(url, id) })
  onTestFinished(() => client.close())
  const session = client.session(id)
  session.attach()
  await until('somebody watches', () => session.state === 'live')
  const seen: { readonly status: string; readonly at: number }[] = []
  session.subscribe(() => {
    const status = session.runs.find((one) => one.id === run)?.status
    if (status !== undefined && status !== seen.at(-1)?.status)
      seen.push({ status, at: Date.now() })
  })
  return seen
}

async function tokenFor(url: string, session: string): Promise<string> {
  const body = { subject: 'ada', sessions: [session], capabilities: ['subscribe'], ttlMs: 600_000 }
  const response = await fetch(`${url}/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return ((await response.json()) as { token: string }).token
}

/** What the log tells of a run, without what its agent wrote. */
async function toldOf(stage: Stage, run: string): Promise<readonly Told[]> {
  const { events } = await stage.ask('GET', '/events?after=0&limit=1000')
  return (events as Told[]).filter(({ type, data }) => type.startsWith('run.') && data.run === run)
}

const wordOf = ({ type, data }: Told): string => [type, data.status ?? ''].join(' ').trim()

async function staged() {
  const stage = new Stage()
  const node = await stage.node()
  await stage.open()
  return { stage, node }
}

test('[P-10.12] an agent with a socket is killed: its run is stalled at once, and lost long before its lease is over [R5] [S4-14]', async () => {
  const { stage, node } = await staged()
  for (let round = 0; round < ROUNDS; round++) {
    const run = `killed-${round}`
    const agent = new Agent({
      RUN: run,
      SESSION: stage.session,
      URL: node.url,
      SOCKET_URL: node.url.replace('http', 'ws'),
      // An append just before its death changes nothing.
      ...(round > 0 && { WRITES: 'yes' }),
    })
    await agent.beats(3)
    const killedAt = Date.now()
    agent.kill()
    let told: readonly Told[] = []
    await until(
      'the run is lost',
      async () => {
        told = await toldOf(stage, run)
        return told.at(-1)?.type === 'run.lost'
      },
      { instead: () => told.map(wordOf) },
    )
    expect(told.map(wordOf)).toEqual(['run.started', 'run.status stalled', 'run.lost'])
    const tookMs = (told.at(-1)?.at ?? Infinity) - killedAt
    console.log(`SIGKILL of an agent with a socket: lost after ${tookMs} ms`)
    expect(tookMs).toBeLessThan(KNOWN_WITHIN_MS)
  }
}, 120_000)

test('[P-10.12] an agent of the SDK is killed: whoever watches sees its run stalled, then lost, long before its lease is over [R5] [S4-14]', async () => {
  const { stage, node } = await staged()
  const tookMs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const run = `sdk-${round}`
    const seen = await watched(node.url, stage.session, run)
    const agent = new Agent({ RUN: run, SESSION: stage.session, URL: node.url }, BY_SDK)
    // Before that its death is told by the lease alone.
    await until('it writes, and its socket stands for it', () => {
      const told = (fact: 'wrote' | 'beat'): number =>
        agent.facts.reduce((most, one) => Math.max(most, one[fact] ?? 0), 0)
      return told('wrote') >= 5 && told('beat') >= 1
    })
    const killedAt = Date.now()
    agent.kill()
    await until('its run is seen as lost', () => seen.at(-1)?.status === 'lost', {
      instead: () => seen,
    })
    const lost = seen.findIndex(({ status }) => status === 'lost')
    expect(seen[lost - 1]?.status).toBe('stalled')
    tookMs.push((seen[lost]?.at ?? Infinity) - killedAt)
    expect(tookMs.at(-1)).toBeLessThan(KNOWN_WITHIN_MS)
  }
  console.log(`SIGKILL of an agent of the SDK: seen as lost after ${tookMs.join(', ')} ms`)
}, 120_000)

test('[P-10.12] a socket is cut and its agent beats again over another: it is stalled for a moment, and never lost [R5]', async () => {
  const { stage, node } = await staged()
  const proxy = await stage.proxy(node.port)
  const agent = new Agent({
    RUN: 'blip',
    SESSION: stage.session,
    URL: node.url,
    SOCKET_URL: `ws://127.0.0.1:${proxy.port}`,
  })
  for (const how of ['reset', 'end', 'reset'] as const) {
    await agent.beats(3)
    proxy.cut(how)
    // Longer than a lost agent has.
    await agent.beats(20)
  }
  expect(agent.facts.filter(({ disconnected }) => disconnected !== undefined)).toHaveLength(3)
  const words = (await toldOf(stage, 'blip')).map(wordOf)
  expect(words).not.toContain('run.lost')
  expect(words.at(-1)).not.toBe('run.status stalled')
  expect((await stage.ask('GET', '/runs/blip'))['status']).toBe('thinking')
}, 120_000)

test('[P-10.12] a socket that is closed in order says nothing of its agent, one that is cut does', async () => {
  const { stage, node } = await staged()
  const proxy = await stage.proxy(node.port)
  for (const run of ['closed', 'cut']) await stage.ask('POST', '/runs', { run })
  const closed = await beating(stage, 'closed', node.port)
  await beating(stage, 'cut', proxy.port)
  const over = new Promise((resolve) => closed.addEventListener('close', resolve))
  closed.close(1000)
  await over
  proxy.cut()
  const told = async (run: string) => (await toldOf(stage, run)).map(wordOf)
  await until('the run whose socket was cut is lost', async () => {
    return (await told('cut')).at(-1) === 'run.lost'
  })
  expect(await told('closed')).toEqual(['run.started'])
}, 60_000)

/** A socket that has beaten for a run once. */
async function beating(stage: Stage, run: string, port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/connect`, 'heldline.v1')
  onTestFinished(() => socket.close())
  const beat = { op: 'beat', ref: 'beat', session: stage.session, run, epoch: 1 }
  socket.addEventListener('open', () => {
    socket.send(JSON.stringify({ op: 'auth', ref: 'auth', token: API_KEY }))
  })
  let last: unknown
  let answered = false
  socket.addEventListener('message', ({ data }) => {
    last = JSON.parse(String(data))
    const { type, ref } = last as { type: string; ref?: string }
    if (type === 'welcome') socket.send(JSON.stringify(beat))
    answered ||= type === 'ok' && ref === 'beat'
  })
  await until('the beat is answered', () => answered, { instead: () => last })
  return socket
}
