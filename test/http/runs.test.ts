import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp({ limits: { maxLiveRuns: 5, maxEventBytes: 4096 } })
})

beforeEach(async () => {
  const session = `runs-${++made}`
  path = `/v1/sessions/${session}`
  await server.ask('PUT', path)
})

afterAll(() => server?.close())

const post = (rest: string, body?: unknown, headers = {}): Promise<Answered> =>
  server.ask('POST', `${path}/runs${rest}`, { body, headers })
/** With the epoch that the run's holder has. */
const say = (rest: string, body?: unknown, epoch = 1, headers = {}): Promise<Answered> =>
  post(`/r1${rest}`, body, { 'run-epoch': String(epoch), ...headers })
const start = (body: object = {}): Promise<Answered> => post('', { run: 'r1', ...body })
const get = (rest = ''): Promise<Answered> => server.ask('GET', `${path}/runs${rest}`)
const refused = ({ status, json }: Answered) => [status, json.code]

interface Told {
  readonly type: string
  readonly by: object
  readonly data: object
}

async function log(): Promise<Told[]> {
  const { json } = await server.ask('GET', `${path}/events?after=1&limit=1000`)
  return json.events
}

const types = async (): Promise<string[]> => (await log()).map(({ type }) => type)

const begun = { type: 'message.started', data: { message: 'a', role: 'assistant' } }
const delta = { type: 'message.delta', data: { message: 'a', text: 'half' } }

describe('POST …/runs', () => {
  test('starts a run, 201 [P-10.1]', async () => {
    const metadata = { model: 'small' }
    const { status, json } = await start({ agent: 'coder', trigger: 'm1', leaseMs: 5000, metadata })
    expect([status, json]).toEqual([
      201,
      { run: 'r1', epoch: 1, status: 'thinking', created: true, leaseMs: 5000 },
    ])
    expect(await log()).toMatchObject([
      {
        type: 'run.started',
        by: { subject: 'key:agent', run: 'r1' },
        data: { run: 'r1', epoch: 1, agent: 'coder', trigger: 'm1', metadata },
      },
    ])
  })

  test('needs no body: the run gets an id', async () => {
    const { status, json } = await post('')
    expect([status, json.epoch, json.leaseMs]).toEqual([201, 1, 25_000])
    expect(json.run).toMatch(/^[A-Za-z][\w-]{15}$/)
  })

  test('finds the run of a trigger, 200, with its epoch for its producer alone [P-10.1] [R8]', async () => {
    await start({ trigger: 'm1', producer: 'p1' })
    const again = await post('', { trigger: 'm1', producer: 'p1' })
    expect([again.status, again.json]).toEqual([
      200,
      { run: 'r1', epoch: 1, status: 'thinking', created: false, leaseMs: 25_000 },
    ])
    const other = await post('', { trigger: 'm1', producer: 'p2' })
    expect([other.status, other.json.run, 'epoch' in other.json]).toEqual([200, 'r1', false])
  })

  test('refuses what cannot be', async () => {
    await start({ trigger: 'm1' })
    expect(refused(await start({ trigger: 'm2' }))).toEqual([409, 'run_exists'])
    expect(refused(await start({ trigger: '.no id' }))).toEqual([400, 'invalid_request'])
    expect(refused(await start({ colour: 'red' }))).toEqual([400, 'unknown_field'])
    expect(refused(await start({ metadata: { text: 'x'.repeat(5000) } }))).toEqual([
      413,
      'payload_too_large',
    ])
    const many = Array.from({ length: 11 }, (_, i) => `s${i}`)
    expect(refused(await start({ deliverTo: many }))).toEqual([400, 'invalid_request'])
    for (const leaseMs of [0, 4999, 24 * 60 * 60 * 1000 + 1, 1.5, '5000']) {
      expect(refused(await post('', { leaseMs }))).toEqual([400, 'invalid_request'])
    }
    expect(await types()).toEqual(['run.started'])
  })

  test('refuses a run more than may live, and says how many may [P-10.1]', async () => {
    for (let i = 0; i < 5; i++) await post('')
    const more = await post('')
    expect([...refused(more), more.json.maxLive]).toEqual([429, 'session_limit', 5])
  })
})

describe('POST …/runs/{run}/adopt', () => {
  test('answers the next epoch, and fences the one before [P-10.2]', async () => {
    await start()
    const { status, json } = await post('/r1/adopt', { producer: 'p2' })
    expect([status, json]).toEqual([
      200,
      { run: 'r1', epoch: 2, status: 'thinking', leaseMs: 25_000 },
    ])
    expect((await post('/r1/adopt', { producer: 'p2' })).json.epoch).toBe(2)
    expect((await post('/r1/adopt')).json.epoch).toBe(3)
    const zombie = await say('/events', begun, 2)
    expect([...refused(zombie), zombie.json.epoch]).toEqual([403, 'run_fenced', 3])
  })

  test('of none, or of one that is over, is refused', async () => {
    expect(refused(await post('/r1/adopt'))).toEqual([404, 'run_not_found'])
    await start()
    await say('/finish')
    const over = await post('/r1/adopt')
    expect([...refused(over), over.json.runStatus]).toEqual([409, 'run_over', 'finished'])
  })
})

describe('POST …/runs/{run}/events', () => {
  test('appends like the session’s own events, with the run in each [P-10.3]', async () => {
    await start()
    const { status, json } = await say('/events', [begun, delta])
    expect(status).toBe(200)
    expect(json).toMatchObject({ first: 3, last: 4, duplicates: 0, durability: 'memory' })
    const [, ...own] = await log()
    expect(own.map(({ type }) => type)).toEqual(['message.started', 'message.delta', 'run.status'])
    for (const { by } of own) expect(by).toEqual({ subject: 'key:agent', run: 'r1' })
  })

  test('takes Idempotency-Key and producers; a retry is answered after the end, too [P-10.3] [P-2.5] [P-2.6]', async () => {
    await start()
    const keyed = { 'idempotency-key': 'k1' }
    const numbered = { 'producer-id': 'p', 'producer-epoch': '1', 'producer-seq': '0' }
    const first = await say('/events', begun, 1, keyed)
    const second = await say('/events', delta, 1, numbered)
    await post('/r1/cancel')
    expect((await say('/events', begun, 1, keyed)).json).toMatchObject({
      first: first.json.first,
      duplicates: 1,
    })
    expect((await say('/events', delta, 1, numbered)).json).toMatchObject({
      first: second.json.first,
      duplicates: 1,
    })
    const late = await say('/events', delta)
    expect(refused(late)).toEqual([409, 'run_over'])
  })

  test('lines are appended as they arrive, and a cancel is their last word [P-10.3] [P-10.8] [P-9.3]', async () => {
    await start()
    let feed: ReadableStreamDefaultController<Uint8Array> | undefined
    const raw = new ReadableStream<Uint8Array>({
      start(controller) {
        feed = controller
      },
    })
    const send = (event: object) =>
      feed?.enqueue(new TextEncoder().encode(`${JSON.stringify(event)}\n`))
    send(begun)
    const response = await server.fetch('POST', `${path}/runs/r1/events`, {
      raw,
      headers: { 'content-type': 'application/x-ndjson', 'run-epoch': '1' },
    })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect(JSON.parse((await reader?.read())?.value ?? '')).toMatchObject({ count: 1, lines: 1 })
    send(delta)
    expect(JSON.parse((await reader?.read())?.value ?? '')).toMatchObject({ count: 1, lines: 2 })
    await post('/r1/cancel')
    send(delta)
    const last = JSON.parse((await reader?.read())?.value ?? '')
    expect(last.error).toMatchObject({ code: 'run_over', lines: 2 })
    expect((await reader?.read())?.done).toBe(true)
    expect((await types()).at(-1)).toBe('run.cancelled')
  })

  test('without a line that can be read, or without the epoch, lines are an ordinary refusal', async () => {
    await start()
    const headers = { 'content-type': 'application/x-ndjson' }
    const lines = (change: object) =>
      server.ask('POST', `${path}/runs/r1/events`, {
        raw: JSON.stringify(delta),
        headers: { ...headers, ...change },
      })
    expect(refused(await lines({}))).toEqual([400, 'invalid_request'])
    expect(refused(await lines({ 'run-epoch': '1' }))).toEqual([404, 'message_not_found'])
  })

  test('refuses what an append refuses, and a run that is none', async () => {
    expect(refused(await say('/events', begun))).toEqual([404, 'run_not_found'])
    await start()
    expect(refused(await say('/events', { type: 'run.lost' }))).toEqual([400, 'reserved_type'])
    expect(refused(await say('/events', delta))).toEqual([404, 'message_not_found'])
    expect(refused(await say('/events', []))).toEqual([400, 'invalid_request'])
  })
})

describe('Run-Epoch', () => {
  test('is asked of every word of an agent, in words [P-10]', async () => {
    await start()
    for (const verb of ['events', 'heartbeat', 'status', 'suspend', 'resume', 'finish']) {
      const body = verb === 'events' ? begun : {}
      const missing = await post(`/r1/${verb}`, body)
      expect(refused(missing)).toEqual([400, 'invalid_request'])
      expect(missing.json.detail).toContain('Run-Epoch')
      for (const wrong of ['', '0', '-1', '1.5', 'one', '01']) {
        expect(refused(await post(`/r1/${verb}`, body, { 'run-epoch': wrong }))).toEqual([
          400,
          'invalid_request',
        ])
      }
      expect(refused(await say(`/${verb}`, body, 9))).toEqual([400, 'invalid_request'])
    }
    expect(await types()).toEqual(['run.started'])
  })

  test('of another’s holder is refused on every word [P-10.2] [R6]', async () => {
    await start()
    await post('/r1/adopt')
    for (const verb of ['events', 'heartbeat', 'status', 'suspend', 'resume', 'finish']) {
      expect(refused(await say(`/${verb}`, verb === 'events' ? begun : {}))).toEqual([
        403,
        'run_fenced',
      ])
    }
  })
})

describe('what an agent says of its run', () => {
  test('a heartbeat answers how the run is, and after its end by what [P-10.5]', async () => {
    await start()
    expect((await say('/heartbeat', {})).json).toEqual({
      run: 'r1',
      live: true,
      status: 'thinking',
      inputs: 0,
      leaseMs: 25_000,
    })
    await post('/r1/cancel')
    const { status, json } = await say('/heartbeat')
    expect([status, json.live, json.status]).toEqual([200, false, 'cancelled'])
    expect(refused(await say('/heartbeat', { at: 1 }))).toEqual([400, 'unknown_field'])
  })

  test('a status is told, its checkpoint byte for byte [P-10.5] [P-2.1]', async () => {
    await start()
    const raw = '{"step":"two","checkpoint":{ "at": 12345678901234567890.0 }}'
    const headers = { 'content-type': 'application/json', 'run-epoch': '1' }
    const { status, json } = await server.ask('POST', `${path}/runs/r1/status`, { raw, headers })
    expect([status, json]).toEqual([200, { run: 'r1', status: 'thinking' }])
    const { text } = await server.ask('GET', `${path}/events?after=2`)
    expect(text).toContain('"checkpoint":{ "at": 12345678901234567890.0 }')
    expect((await say('/status', { status: 'stalled' })).json.status).toBe('stalled')
    expect((await get('/r1')).json).toMatchObject({ status: 'stalled', step: 'two' })
    expect(refused(await say('/status', { status: 'streaming' }))).toEqual([400, 'invalid_request'])
    expect(refused(await say('/status', { checkpoint: 'x'.repeat(5000) }))).toEqual([
      413,
      'payload_too_large',
    ])
    expect(refused(await say('/status'))).toEqual([400, 'empty_body'])
  })

  test('it suspends and goes on [P-10.6]', async () => {
    await start()
    expect((await say('/suspend', { reason: 'a person must look' })).json.status).toBe('waiting')
    expect((await log()).at(-1)?.data).toEqual({ run: 'r1', reason: 'a person must look' })
    expect((await say('/resume', {})).json.status).toBe('thinking')
    expect((await log()).at(-1)?.data).toEqual({ run: 'r1', epoch: 1, reason: 'resumed' })
  })

  test('it finishes with an output, or fails with an error, once [P-10.7] [S0-03]', async () => {
    await start({ run: 'r2' })
    await start()
    await say('/events', [begun, delta])
    const both = { output: 1, error: { message: 'no' } }
    expect(refused(await say('/finish', both))).toEqual([400, 'invalid_request'])
    expect(refused(await say('/finish', { output: 'x'.repeat(5000) }))).toEqual([
      413,
      'payload_too_large',
    ])
    const { status, json } = await say('/finish', { output: { answer: 42 } })
    expect([status, json]).toEqual([200, { run: 'r1', status: 'finished' }])
    expect((await say('/finish', { output: { answer: 42 } })).status).toBe(200)
    const late = await say('/finish', { error: { message: 'late' } })
    expect(refused(late)).toEqual([409, 'run_over'])
    expect((await types()).slice(-2)).toEqual(['message.completed', 'run.finished'])
    expect((await get('/r1')).json).toMatchObject({
      status: 'finished',
      output: { answer: 42 },
      messages: [],
    })
    const error = { message: 'out of tokens', code: 'tokens' }
    const failed = await post('/r2/finish', { error }, { 'run-epoch': '1' })
    expect(failed.json).toEqual({ run: 'r2', status: 'failed' })
    expect((await get('/r2')).json.error).toEqual(error)
  })
})

describe('POST …/runs/{run}/cancel', () => {
  test('by a person, without an epoch, keeps what was written [P-10.8] [R1]', async () => {
    await start()
    await say('/events', [begun, delta])
    const credential = await server.token({
      subject: 'ada',
      sessions: ['runs-*'],
      capabilities: ['send'],
    })
    const asked = { body: { reason: 'enough' }, credential }
    const { status, json } = await server.ask('POST', `${path}/runs/r1/cancel`, asked)
    expect([status, json]).toEqual([200, { run: 'r1', cancelled: true, status: 'cancelled' }])
    expect((await log()).slice(-2)).toMatchObject([
      { type: 'message.completed', data: { message: 'a', status: 'interrupted' } },
      { type: 'run.cancelled', by: { subject: 'ada', run: 'r1' }, data: { reason: 'enough' } },
    ])
    const again = await server.ask('POST', `${path}/runs/r1/cancel`, { credential })
    expect(again.json).toEqual({ run: 'r1', cancelled: false, status: 'cancelled' })
    const { json: page } = await server.ask('GET', `${path}/messages`)
    expect(page.messages).toMatchObject([
      { status: 'interrupted', parts: [{ type: 'text', text: 'half' }] },
    ])
  })

  test('of none is refused, and a send alone may do nothing else to a run', async () => {
    expect(refused(await post('/r1/cancel'))).toEqual([404, 'run_not_found'])
    await start()
    const capabilities = ['send'] as ['send']
    const credential = await server.token({ sessions: ['runs-*'], capabilities })
    for (const verb of ['events', 'heartbeat', 'status', 'suspend', 'resume', 'finish', 'adopt']) {
      const asked = { body: {}, credential, headers: { 'run-epoch': '1' } }
      const answer = await server.ask('POST', `${path}/runs/r1/${verb}`, asked)
      expect(refused(answer)).toEqual([403, 'forbidden'])
    }
  })
})

describe('GET …/runs', () => {
  test('gives those that live, those that are over, or all, with their open messages [P-10.9] [S0-20]', async () => {
    await start({ agent: 'coder' })
    await start({ run: 'r2' })
    await say('/events', begun)
    await say('/status', { step: 'reading', checkpoint: { at: 3 } })
    await post('/r2/cancel')
    const { json } = await get()
    expect(json.position).toMatch(/^[\w-]{10}\.\d+\.[\w-]{8}$/)
    expect(json.runs).toMatchObject([
      {
        id: 'r1',
        epoch: 1,
        status: 'thinking',
        agent: 'coder',
        step: 'reading',
        checkpoint: { at: 3 },
        by: 'key:agent',
        messages: ['a'],
      },
      { id: 'r2', status: 'cancelled', messages: [] },
    ])
    const ids = async (which: string): Promise<string[]> =>
      (await get(`?status=${which}`)).json.runs.map(({ id }: { id: string }) => id)
    expect([await ids('live'), await ids('over'), await ids('all')]).toEqual([
      ['r1'],
      ['r2'],
      ['r1', 'r2'],
    ])
    expect((await get('/r1')).json).toEqual(json.runs[0])
    expect(refused(await get('?status=dead'))).toEqual([400, 'invalid_request'])
    expect(refused(await get('/r3'))).toEqual([404, 'run_not_found'])
    expect(refused(await get('/.r3'))).toEqual([400, 'invalid_request'])
  })
})
