import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  ResponseStream,
  type ChunkSink,
  type Target,
} from '../../../src/compat/ai-sdk/response-stream.ts'
import { HeldlineError, type ErrorCode } from '../../../src/protocol/errors.ts'
import type { UiMessageChunk } from '../../../src/protocol/formats/to-ai-sdk.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { Hub } from '../../../src/core/hub.ts'
import { Views } from '../../../src/core/views.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { SystemClock } from '../../../src/system-ports.ts'
import { LocalSignals } from '../../../src/store/local-signals.ts'
import { idOf, startHttp, type HttpServer } from '../../http/http-server.ts'
import { until } from '../../support/until.ts'

let server: HttpServer
const clock = new SystemClock()
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

beforeAll(async () => {
  server = await startHttp()
})
afterAll(() => server?.close())

class Reader implements ChunkSink {
  readonly chunks: UiMessageChunk[] = []
  room = true
  state: 'open' | 'ended' | 'failed' | 'cut' = 'open'

  ready(): boolean {
    return this.room
  }
  chunk(chunk: UiMessageChunk): void {
    this.chunks.push(chunk)
  }
  end(): void {
    this.state = 'ended'
  }
  fail(): void {
    this.state = 'failed'
  }
  cut(): void {
    this.state = 'cut'
  }
  get text(): string {
    const deltas = this.chunks.map(({ delta }) => delta)
    return deltas.filter((delta) => typeof delta === 'string').join('')
  }
}

interface Node {
  readonly clock: Clock
  readonly lostMs: number
}

/** Of a node whose clock is so far ahead of the store's. */
const aheadBy = (ms: number): Clock => ({
  now: () => clock.now() + ms,
  after: (delayMs, task) => clock.after(delayMs, task),
  defer: (task) => clock.defer(task),
})

/** A stream over the server's store, whose views fail as often as they are told to. */
async function follow(session: string, target: Target, reader: Reader, node: Partial<Node> = {}) {
  const ports = {
    clock,
    log,
    limits: DEFAULT_LIMITS,
    store: server.store,
    signals: new LocalSignals(),
  }
  // It hears no wake-up: what it finds, it finds by looking at the heads.
  const hub = new Hub({ ...ports, limits: { ...DEFAULT_LIMITS, verifyMs: 20 } })
  const views = new Views(server.store, DEFAULT_LIMITS)
  const state = {
    looks: 0,
    failures: 0,
    failure: 'store_unavailable' as ErrorCode,
    seen: '' as string | undefined,
  }
  const failing: Pick<Views, 'at'> = {
    at: async (id) => {
      state.looks++
      if (state.failures-- > 0) throw new HeldlineError(state.failure, 'as the test has it')
      const view = await views.at(id)
      state.seen = view.runs.get('r1')?.status
      return view
    },
  }
  const stream = new ResponseStream(
    idOf(session),
    target,
    { hub, views: failing, inputs: server.inputs, clock, log, ...node },
    reader,
  )
  onTestFinished(() => {
    stream.close()
    hub.close()
  })
  await stream.open()
  return { stream, state, hub }
}

async function liveRun(session: string) {
  await server.ask('PUT', `/v1/sessions/${session}`)
  await server.ask('POST', `/v1/sessions/${session}/runs`, { body: { run: 'r1' } })
  let epoch = 1
  const post = (path: string, body: unknown) =>
    server.ask('POST', `/v1/sessions/${session}/runs/r1/${path}`, {
      body,
      headers: { 'run-epoch': `${epoch}` },
    })
  await post('events', [{ type: 'message.started', data: { message: 'm1', role: 'assistant' } }])
  return {
    say: (text: string) =>
      post('events', [{ type: 'message.delta', data: { message: 'm1', text } }]),
    finish: () => post('finish', {}),
    adopt: async () => {
      const { json } = await server.ask('POST', `/v1/sessions/${session}/runs/r1/adopt`, {
        body: {},
      })
      epoch = json.epoch
    },
    /** Its lease is over: first it is stalled, then lost. */
    lose: async () => {
      const place = { session: idOf(session), deadline: 'run:r1' }
      for (let n = 0; n < 2; n++) {
        const guards = [{ deadline: place.deadline, at: -1 }]
        const found = await server.store.commit({ session: place.session, guards })
        if (found.outcome !== 'conflict') throw new Error('there is no such deadline')
        await server.runs.leaseDue({ ...place, at: found.deadlines.get(place.deadline) ?? 0 })
      }
    },
  }
}

describe('a response stream [P-18.4]', () => {
  test('keeps nothing for a reader without room, and does not even look; then it tells all at once', async () => {
    const run = await liveRun('s-room')
    const reader = new Reader()
    const { stream, state } = await follow('s-room', { run: 'r1' }, reader)
    await run.say('a')
    await until('it is told', () => reader.text === 'a')
    reader.room = false
    const { looks } = state
    const words = Array.from({ length: 200 }, (_, n) => `${n} `)
    for (const word of words) await run.say(word)
    await run.finish()
    expect(state.looks - looks).toBeLessThanOrEqual(1)
    const before = reader.chunks.length
    reader.room = true
    stream.pump()
    await until('it ends', () => reader.state === 'ended')
    expect(reader.text).toBe(`a${words.join('')}`)
    // Not two hundred words, but what they have become: one delta, the ends of the text and of the message.
    expect(reader.chunks.length - before).toBeLessThanOrEqual(6)
  })

  test('survives a store that does not answer for a while', async () => {
    const run = await liveRun('s-store')
    const reader = new Reader()
    const { state } = await follow('s-store', { run: 'r1' }, reader)
    await run.say('before, ')
    await until('it is told', () => reader.text === 'before, ')
    state.failures = 2
    await run.say('after')
    await run.finish()
    await until('it ends', () => reader.state === 'ended')
    expect(reader.text).toBe('before, after')
  })

  const HOUR_MS = 3_600_000
  test('of a run that is lost ends after a while, however far behind the store the clock of its node is', async () => {
    const run = await liveRun('s-behind')
    const readers = [new Reader(), new Reader()] as const
    const node = { clock: aheadBy(-HOUR_MS), lostMs: 300 }
    await follow('s-behind', { run: 'r1' }, readers[0], node)
    await until('it has begun', () => readers[0].chunks.length > 0)
    await run.lose()
    await follow('s-behind', { run: 'r1' }, readers[1], node)
    for (const reader of readers) await until('it ends', () => reader.state === 'ended')
    expect(readers[0].chunks.at(-1)).toEqual({ type: 'error', errorText: 'the agent was lost' })
  })

  test('of a run that is lost waits for who takes it over, however far ahead of the store the clock of its node is', async () => {
    const run = await liveRun('s-ahead')
    const reader = new Reader()
    const node = { clock: aheadBy(HOUR_MS), lostMs: 60_000 }
    const { state } = await follow('s-ahead', { run: 'r1' }, reader, node)
    await run.say('before, ')
    await run.lose()
    await until('it has seen the loss', () => state.seen === 'lost')
    await run.adopt()
    await run.say('after')
    await run.finish()
    await until('it ends', () => reader.state === 'ended')
    expect(reader.text).toBe('before, after')
    expect(reader.chunks.at(-1)).toMatchObject({ type: 'finish' })
  })

  test('fails where what it tells from cannot be read any more', async () => {
    const run = await liveRun('s-corrupt')
    const reader = new Reader()
    const { state, hub } = await follow('s-corrupt', { run: 'r1' }, reader)
    await until('it has begun', () => reader.chunks.length > 0)
    Object.assign(state, { failures: 1, failure: 'event_corrupt' })
    await run.say('never read')
    await until('it fails', () => reader.state === 'failed')
    expect(hub.feeds).toBe(0)
  })

  test('hears nothing and holds nothing once it is closed', async () => {
    const run = await liveRun('s-closed')
    const reader = new Reader()
    const { stream, hub } = await follow('s-closed', { run: 'r1' }, reader)
    await until('it has begun', () => reader.chunks.length > 0)
    expect(hub.feeds).toBe(1)
    stream.close()
    expect(hub.feeds).toBe(0)
    const before = reader.chunks.length
    await run.say('unheard')
    await run.finish()
    stream.pump()
    expect(reader.chunks.length).toBe(before)
    expect(reader.state).toBe('open')
  })
})
