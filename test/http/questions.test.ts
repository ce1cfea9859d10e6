import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let session = ''
let path = ''
let ada = ''
let made = 0

beforeAll(async () => {
  server = await startHttp()
  ada = await server.token({ subject: 'ada', capabilities: ['send', 'history'] })
})

beforeEach(async () => {
  session = `s-questions-${++made}`
  path = `/v1/sessions/${session}`
  await server.ask('PUT', path)
  await server.ask('POST', `${path}/runs`, { body: { run: 'r1' } })
})

afterAll(() => server?.close())

/** As the agent that holds the run. */
const held = (to: string, body: unknown, epoch = 1): Promise<Answered> =>
  server.ask('POST', `${path}${to}`, { body, headers: { 'run-epoch': String(epoch) } })
const ask = (more: object = {}): Promise<Answered> =>
  held('/questions', { question: 'q1', run: 'r1', prompt: 'Which?', ...more })
const answer = (value: unknown, credential = ada): Promise<Answered> =>
  server.ask('POST', `${path}/questions/q1/answer`, { body: { answer: value }, credential })
const get = (query = ''): Promise<Answered> => server.ask('GET', `${path}/questions/q1${query}`)
const statusOfRun = async (): Promise<string> =>
  (await server.ask('GET', `${path}/runs/r1`)).json.status

const schema = { type: 'object', properties: { pick: { enum: ['a', 'b'] } }, required: ['pick'] }

describe('[P-11.5] a question over HTTP', () => {
  test('is asked, answered from another device, and heard by who waits [S2-09]', async () => {
    const asked = await ask({ schema, data: { x: 1 } })
    expect([asked.status, asked.json]).toEqual([201, { question: 'q1', status: 'open' }])
    expect((await ask({ schema, data: { x: 1 } })).status).toBe(200)
    expect(await statusOfRun()).toBe('waiting')
    expect((await get()).json).toEqual({
      question: 'q1',
      status: 'open',
      run: 'r1',
      prompt: 'Which?',
      schema,
      data: { x: 1 },
      by: 'key:agent',
      askedAt: expect.any(Number),
      expiresAt: null,
    })
    const waits = get('?wait=20')
    await until('the poll listens', () => server.watched(session))
    const answered = await answer({ pick: 'b' })
    expect([answered.status, answered.json]).toEqual([200, { question: 'q1', status: 'answered' }])
    expect((await waits).json).toMatchObject({
      status: 'answered',
      answeredBy: 'ada',
      answer: { pick: 'b' },
    })
    expect(await statusOfRun()).toBe('thinking')
  })

  test('is answered once: the same again is fine, another hears who answered', async () => {
    await ask()
    await answer('yes')
    expect((await answer('yes')).status).toBe(200)
    const ben = await server.token({ subject: 'ben', capabilities: ['send'] })
    expect((await answer('yes', ben)).json).toMatchObject({
      status: 409,
      code: 'question_closed',
      outcome: 'answered',
      by: 'ada',
    })
    expect((await answer('no')).json.code).toBe('question_closed')
  })

  test('keeps the answer to the byte, and takes null for one', async () => {
    await ask()
    const raw = '{"answer":{"n":1.00}}'
    const headers = { 'content-type': 'application/json' }
    await server.ask('POST', `${path}/questions/q1/answer`, { raw, headers, credential: ada })
    const { text } = await server.ask('GET', `${path}/events?after=1`)
    expect(text).toContain('"answer":{"n":1.00}')
    expect((await get()).text).toContain('"answer":{"n":1.00}')
    await ask({ question: 'q2' })
    const none = { body: {}, credential: ada }
    expect((await server.ask('POST', `${path}/questions/q2/answer`, none)).json.code).toBe(
      'invalid_request',
    )
    const nothing = { body: { answer: null }, credential: ada }
    expect((await server.ask('POST', `${path}/questions/q2/answer`, nothing)).status).toBe(200)
  })

  test('refuses an answer that does not fit, and says where', async () => {
    await ask({ schema })
    const { json } = await answer({ pick: 'c' })
    expect(json).toMatchObject({ status: 422, code: 'answer_invalid' })
    expect(json.misfit).toMatch(/^answer\/pick /)
    expect((await get()).json.status).toBe('open')
  })

  test.for([
    ['without a prompt', { prompt: '' }, 'invalid_request'],
    ['with a schema that cannot be understood', { schema: { type: 'wish' } }, 'invalid_request'],
    ['with a schema from elsewhere', { schema: { $ref: 'http://a.b/c' } }, 'invalid_request'],
    ['with a field that is not known', { title: 'x' }, 'unknown_field'],
    ['of a run that is not there', { run: 'r9' }, 'run_not_found'],
    ['that is too large', { data: 'x'.repeat(70_000) }, 'payload_too_large'],
  ] as const)('%s is refused', async ([, more, code]) => {
    expect((await ask(more)).json).toMatchObject({ code })
    expect(await statusOfRun()).toBe('thinking')
  })

  test('without a run needs no epoch; with one it does', async () => {
    const bare = await server.ask('POST', `${path}/questions`, { body: { prompt: 'Which?' } })
    expect(bare.status).toBe(201)
    expect(bare.json.question).toMatch(/^\w/)
    const body = { prompt: 'Which?', run: 'r1' }
    const refused = await server.ask('POST', `${path}/questions`, { body })
    expect(refused.json.code).toBe('invalid_request')
  })

  test('is withdrawn, and stays what it is', async () => {
    await ask()
    const withdrawn = { question: 'q1', status: 'withdrawn' }
    expect((await held('/questions/q1/withdraw', {})).json).toEqual(withdrawn)
    expect((await server.ask('POST', `${path}/questions/q1/withdraw`)).json).toEqual(withdrawn)
    expect((await answer('yes')).json).toMatchObject({ code: 'question_closed', by: 'key:agent' })
    expect(await statusOfRun()).toBe('thinking')
    expect((await get('?wait=20')).json.status).toBe('withdrawn')
  })

  test('that is not there is said to be not there', async () => {
    expect((await get('?wait=1')).json.code).toBe('question_not_found')
    expect((await answer('yes')).json.code).toBe('question_not_found')
    expect((await held('/questions/q1/withdraw', {})).json.code).toBe('question_not_found')
  })
})
