import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let session = ''
let path = ''
let ada = ''
let made = 0

beforeAll(async () => {
  server = await startHttp({ limits: { maxInputs: 3 } })
  ada = await server.token({ subject: 'ada', capabilities: ['send', 'history', 'subscribe'] })
})

beforeEach(async () => {
  session = `s-inputs-${++made}`
  path = `/v1/sessions/${session}`
  await server.ask('PUT', path)
})

afterAll(() => server?.close())

const post = (to: string, body: unknown, credential = ada): Promise<Answered> =>
  server.ask('POST', `${path}${to}`, { body, credential })
/** As the agent that holds a run. */
const held = (to: string, body: unknown, epoch: number | string = 1): Promise<Answered> =>
  server.ask('POST', `${path}${to}`, { body, headers: { 'run-epoch': String(epoch) } })
const start = (run = 'r1', more: object = {}): Promise<Answered> =>
  server.ask('POST', `${path}/runs`, { body: { run, ...more } })
const waiting = async (query = ''): Promise<Answered['json']> =>
  (await server.ask('GET', `${path}/inputs${query}`)).json.inputs
const types = async (): Promise<string[]> =>
  (await server.ask('GET', `${path}/events?after=1`)).json.events.map(
    ({ type }: { type: string }) => type,
  )

const parts = [{ type: 'text', text: 'and the tests?' }]

describe('[P-11.1] an input over HTTP', () => {
  test('is taken with what people read of it, and acknowledged like an append', async () => {
    const sent = await post('/inputs', { input: 'i1', mode: 'queue', parts, data: { n: 1 } })
    expect(sent.status).toBe(201)
    expect(sent.json).toEqual({
      input: 'i1',
      outcome: 'queued',
      session,
      epoch: expect.stringMatching(/^[\w-]{10}$/),
      first: 2,
      last: 3,
      duplicates: 0,
      durability: 'memory',
    })
    expect(await types()).toEqual(['message.completed', 'input.received'])
    expect(await waiting()).toMatchObject([
      { id: 'i1', mode: 'queue', message: 'i1', data: { n: 1 }, by: 'ada', run: null, serial: 3 },
    ])
  })

  test('is there for whoever reads the messages after a reconnect, and a resend is the same [S3-07] [R8]', async () => {
    const body = { input: 'i1', mode: 'queue', parts }
    const first = await post('/inputs', body)
    const again = await post('/inputs', body)
    expect(again.status).toBe(200)
    expect(again.json).toEqual({ ...first.json, duplicates: 2 })
    const { messages } = (await server.ask('GET', `${path}/messages`)).json
    expect(messages).toMatchObject([{ id: 'i1', role: 'user', by: 'ada', parts }])
    const other = await post('/inputs', { ...body, parts: [] })
    expect(other.json).toMatchObject({ status: 422, code: 'idempotency_conflict' })
  })

  test.for([
    ['without a mode', { data: 1 }, 'invalid_request'],
    ['of another mode', { mode: 'shout' }, 'invalid_request'],
    ['with a field that is not known', { mode: 'queue', text: 'x' }, 'unknown_field'],
    ['with an id that is none', { mode: 'queue', input: 'a b' }, 'invalid_request'],
    ['with parts that are none', { mode: 'queue', parts: [{ text: 'x' }] }, 'invalid_request'],
    ['that expires before it comes', { mode: 'queue', expiresInMs: 0 }, 'invalid_request'],
    ['for a run that is not there', { mode: 'steer', run: 'r9' }, 'run_not_found'],
    ['that is too large', { mode: 'queue', data: 'x'.repeat(70_000) }, 'payload_too_large'],
  ] as const)('%s is refused', async ([, body, code]) => {
    expect((await post('/inputs', body)).json).toMatchObject({ code })
    expect(await types()).toEqual([])
  })

  test('beyond the number that may wait is refused, and says how many', async () => {
    for (const input of ['i1', 'i2', 'i3']) await post('/inputs', { input, mode: 'queue' })
    const { json } = await post('/inputs', { mode: 'queue' })
    expect(json).toMatchObject({ status: 429, code: 'session_limit', maxWaiting: 3 })
  })

  test('[P-11.2] an interrupt stops the run that it names, and is too late once that is over [R10] [S1-04]', async () => {
    await start()
    const body = { mode: 'interrupt', run: 'r1', parts }
    const sent = await post('/inputs', { ...body, input: 'i1' })
    expect([sent.status, sent.json.outcome]).toEqual([201, 'delivered'])
    expect(await types()).toEqual([
      'run.started',
      'run.cancelled',
      'message.completed',
      'input.received',
    ])
    const beat = await held('/runs/r1/heartbeat', {})
    expect(beat.json).toMatchObject({ live: false, status: 'cancelled', inputs: 1 })
    const late = await post('/inputs', { ...body, input: 'i2' })
    expect(late.status).toBe(200)
    expect(late.json).toMatchObject({ outcome: 'too_late', first: 0, last: 0, duplicates: 0 })
    expect(await types()).toHaveLength(4)
  })
})

describe('[P-16.5] an input that names a parent', () => {
  const messages = async (): Promise<(string | null)[][]> =>
    (await server.ask('GET', `${path}/messages`)).json.messages.map(
      ({ id, parent }: { id: string; parent: string | null }) => [id, parent],
    )

  test('with parts is an edit: a message beside the one whose parent it names [R20]', async () => {
    await post('/inputs', { input: 'i1', mode: 'queue', parts })
    const body = { input: 'i2', mode: 'queue', parts, parent: null }
    expect((await post('/inputs', body)).status).toBe(201)
    expect((await post('/inputs', { ...body, input: 'i3', parent: 'i1' })).status).toBe(201)
    expect(await messages()).toEqual([
      ['i1', null],
      ['i2', null],
      ['i3', 'i1'],
    ])
    expect((await post('/inputs', body)).status).toBe(200)
    expect((await post('/inputs', { ...body, parent: 'i1' })).json.code).toBe(
      'idempotency_conflict',
    )
    expect(await waiting()).toMatchObject([
      { id: 'i1' },
      { id: 'i2', message: 'i2', parent: null },
      { id: 'i3', parent: 'i1' },
    ])
  })

  test('without parts has the message answered again, and its agent hears which when it takes it [P-16.6] [S3-11]', async () => {
    await post('/inputs', { input: 'i1', mode: 'queue', parts })
    const sent = await post('/inputs', { input: 'i2', mode: 'queue', parent: 'i1' })
    expect(sent.status).toBe(201)
    expect(await waiting()).toMatchObject([{ id: 'i1' }, { id: 'i2', message: null, parent: 'i1' }])
    await start('r1', { trigger: 'i2' })
    const taken = await held('/inputs/i2/deliver', { run: 'r1' })
    expect(taken.json).toEqual({ input: 'i2', run: 'r1', parent: 'i1' })
    expect(await messages()).toEqual([['i1', null]])
  })

  test.for([7, 'a b', ''])('%j is no parent', async (parent) => {
    const { json } = await post('/inputs', { mode: 'queue', parts, parent })
    expect(json.code).toBe('invalid_request')
    expect(await types()).toEqual([])
  })

  test('where the trigger is a message, it says so as it refuses to be taken [P-16.6]', async () => {
    await server.ask('POST', `${path}/events`, {
      body: { type: 'message.completed', data: { message: 'm1', role: 'user', parts } },
    })
    await start('r1', { trigger: 'm1' })
    const { json } = await held('/inputs/m1/deliver', { run: 'r1' })
    expect(json).toMatchObject({ status: 404, code: 'input_not_found', parent: 'm1' })
  })
})

describe('[P-11.3] the agent’s side', () => {
  test('waits for an input, and hears of it when it comes [S4-11]', async () => {
    const polled = waiting('?wait=20')
    await until('the poll listens', () => server.watched(session))
    await post('/inputs', { input: 'i1', mode: 'queue' })
    expect(await polled).toMatchObject([{ id: 'i1' }])
    await until('nobody listens any more', () => !server.watched(session))
    expect(await waiting('?wait=20')).toMatchObject([{ id: 'i1' }])
  })

  test('a wait ends with its client', async () => {
    const stop = new AbortController()
    const asked = server.ask('GET', `${path}/inputs?wait=20`, { signal: stop.signal })
    await until('the poll listens', () => server.watched(session))
    stop.abort()
    await expect(asked).rejects.toThrow()
    await until('nobody listens any more', () => !server.watched(session))
  })

  test('a wait that is no time is refused', async () => {
    for (const wait of ['31', '-1', 'x']) {
      const { json } = await server.ask('GET', `${path}/inputs?wait=${wait}`)
      expect(json.code).toBe('invalid_request')
    }
  })

  test('takes an input for its run, once', async () => {
    await start()
    await start('r2')
    await post('/inputs', { input: 'i1', mode: 'steer' })
    const taken = await held('/inputs/i1/deliver', { run: 'r1', step: 'plan' })
    expect([taken.status, taken.json]).toEqual([200, { input: 'i1', run: 'r1' }])
    expect((await held('/inputs/i1/deliver', { run: 'r1', step: 'plan' })).status).toBe(200)
    const late = await held('/inputs/i1/deliver', { run: 'r2' })
    expect(late.json).toMatchObject({ status: 409, code: 'input_taken', run: 'r1' })
    expect(await waiting()).toEqual([])
  })

  test('needs its epoch, and the input that it means', async () => {
    await start()
    await post('/inputs', { input: 'i1', mode: 'steer' })
    const bare = await server.ask('POST', `${path}/inputs/i1/deliver`, { body: { run: 'r1' } })
    expect(bare.json.code).toBe('invalid_request')
    expect((await held('/inputs/i9/deliver', { run: 'r1' })).json.code).toBe('input_not_found')
    expect((await held('/inputs/a%20b/deliver', { run: 'r1' })).json.code).toBe('invalid_request')
    await server.ask('POST', `${path}/runs/r1/adopt`, { body: {} })
    expect((await held('/inputs/i1/deliver', { run: 'r1' })).json.code).toBe('run_fenced')
  })
})

describe('[P-11.3] what became of an input (R10)', () => {
  const fate = async (input: string, query = '', credential = ada): Promise<Answered> =>
    server.ask('GET', `${path}/inputs/${input}${query}`, { credential })

  test('is told to its sender: that it waits, which run took it at which step, that it is over', async () => {
    for (const input of ['i1', 'i2', 'i3']) await post('/inputs', { input, mode: 'queue', data: 1 })
    expect((await fate('i1')).json).toEqual({ input: 'i1', status: 'waiting' })
    await start('r1', { trigger: 'i1' })
    expect((await fate('i1')).json).toEqual({ input: 'i1', status: 'waiting', run: 'r1' })
    await held('/inputs/i1/deliver', { run: 'r1' })
    expect((await fate('i1')).json).toEqual({ input: 'i1', status: 'delivered', run: 'r1' })
    await held('/inputs/i2/deliver', { run: 'r1', step: 'search' })
    expect((await fate('i2')).json).toEqual({
      input: 'i2',
      status: 'delivered',
      run: 'r1',
      step: 'search',
    })
    await post('/inputs/i3/cancel', {})
    expect((await fate('i3')).json).toEqual({ input: 'i3', status: 'cancelled' })
    expect((await fate('i9')).json).toMatchObject({ status: 404, code: 'input_not_found' })
  })

  test('is waited for, and told as soon as there is something to tell', async () => {
    await post('/inputs', { input: 'i1', mode: 'queue', data: 1 })
    await start()
    let told = false
    const asked = fate('i1', '?wait=20').finally(() => (told = true))
    await post('/inputs', { input: 'i2', mode: 'queue', data: 1 })
    expect(told).toBe(false)
    await held('/inputs/i1/deliver', { run: 'r1', step: 'next' })
    expect((await asked).json).toMatchObject({ status: 'delivered', run: 'r1', step: 'next' })
  })

  test('is nothing to those who may neither send nor read', async () => {
    await post('/inputs', { input: 'i1', mode: 'queue', data: 1 })
    const list = await server.token({ subject: 'eve', capabilities: ['presence'] })
    expect((await fate('i1', '', list)).status).toBe(403)
  })
})

describe('[P-11.4] taking an input back', () => {
  test('ends it, its run, and every run of it to come', async () => {
    await post('/inputs', { input: 'i1', mode: 'queue' })
    await start('r1', { trigger: 'i1' })
    const first = await post('/inputs/i1/cancel', { reason: 'no' })
    expect(first.json).toEqual({ input: 'i1', cancelled: true, run: 'r1', status: 'cancelled' })
    const again = await server.ask('POST', `${path}/inputs/i1/cancel`, { credential: ada })
    expect(again.json).toEqual({ input: 'i1', cancelled: false, run: 'r1', status: 'cancelled' })
    expect((await post('/inputs/i2/cancel', {})).json).toEqual({ input: 'i2', cancelled: true })
    expect((await start('r2', { trigger: 'i2' })).json.code).toBe('run_over')
  })
})

test('[P-6.2] who may only watch sends nothing, and who may only send takes nothing', async () => {
  const watcher = await server.token({ capabilities: ['subscribe'] })
  expect((await post('/inputs', { mode: 'queue' }, watcher)).json.code).toBe('forbidden')
  expect((await post('/inputs/i1/cancel', {}, watcher)).json.code).toBe('forbidden')
  const sent = await post('/inputs/i1/deliver', { run: 'r1' })
  expect(sent.json.code).toBe('forbidden')
})
