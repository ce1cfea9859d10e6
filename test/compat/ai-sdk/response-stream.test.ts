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

/** A stream over the server's store, whose views fail as often as they are told to. */
async function follow(session: string, target: Target, reader: Reader) {
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
  const state = { looks: 0, failures: 0, failure: 'store_unavailable' as ErrorCode }
  const failing: Pick<Views, 'at'> = {
    at: async (id) => {
      state.looks++
      if (state.failures-- > 0) throw new HeldlineError(state.failure, 'as the test has it')
      return views.at(id)
    },
  }
  const stream = new ResponseStream(
    idOf(session),
    target,
    { hub, views: failing, inputs: server.inputs, clock, log },
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
  const post = (path: string, body: unknown) =>
    server.ask('POST', `/v1/sessions/${session}/runs/r1/${path}`, {
      body,
      headers: { 'run-epoch': '1' },
    })
  await post('events', [{ type: 'message.started', data: { message: 'm1', role: 'assistant' } }])
  return {
    say: (text: string) =>
      post('events', [{ type: 'message.delta', data: { message: 'm1', text } }]),
    finish: () => post('finish', {}),
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
