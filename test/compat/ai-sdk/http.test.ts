import { uiMessageChunkSchema } from 'ai'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ERRORS, type ErrorCode } from '../../../src/protocol/errors.ts'
import { idOf, ORIGIN, startHttp, type Ask, type HttpServer } from '../../http/http-server.ts'
import { until } from '../../support/until.ts'

let server: HttpServer

beforeAll(async () => {
  server = await startHttp({
    limits: { heartbeatMs: 50, outboxBytes: 2048 },
    aiSdkLostMs: 5000,
  })
  await server.ask('PUT', '/v1/sessions/s1')
  await server.ask('PUT', '/v1/sessions/closed')
  await server.ask('POST', '/v1/sessions/closed/close')
})

afterAll(async () => {
  expect(server?.errors()).toEqual([])
  await server?.close()
})

const CHAT = '/compat/ai-sdk/chat'
const user = (id: string, text = 'hello') => ({
  id,
  role: 'user',
  parts: [{ type: 'text', text }],
})
const assistant = (id: string) => ({ id, role: 'assistant', parts: [{ type: 'text', text: 'a' }] })
const body = (id: string, ...messages: unknown[]) => ({ id, messages, trigger: 'submit-message' })

/** A response as it comes. */
async function stream(method: string, path: string, ask: Ask = {}) {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const response = await server.fetch(method, path, { ...ask, signal: stop.signal })
  let text = ''
  let state: 'open' | 'ended' | 'broken' = 'open'
  const read = async (): Promise<void> => {
    for await (const piece of response.body ?? []) text += Buffer.from(piece).toString()
  }
  read().then(
    () => (state = 'ended'),
    () => (state = 'broken'),
  )
  return {
    response,
    leave: () => stop.abort(),
    get text() {
      return text
    },
    get state() {
      return state
    },
    /** The chunks, as far as they have come. */
    get chunks(): readonly Readonly<Record<string, unknown>>[] {
      return [...text.matchAll(/^data: (\{.*\})$/gm)].map(([, json = '']) => JSON.parse(json))
    },
    until: (what: string, holds: () => boolean) => until(what, holds, { instead: () => text }),
  }
}

/** What an agent does, over plain HTTP. */
async function startRun(session: string, trigger: string, run = `run-${trigger}`) {
  await server.ask('POST', `/v1/sessions/${session}/runs`, { body: { run, trigger } })
  const post = (path: string, content: unknown) =>
    server.ask('POST', `/v1/sessions/${session}/runs/${run}/${path}`, {
      body: content,
      headers: { 'run-epoch': '1' },
    })
  const delta = (text: string, message = `${run}.m1`) => ({
    type: 'message.delta',
    data: { message, text },
  })
  return {
    run,
    post,
    begin: (message = `${run}.m1`) =>
      post('events', [{ type: 'message.started', data: { message, role: 'assistant' } }]),
    say: (text: string, message?: string) => post('events', [delta(text, message)]),
    finish: () => post('finish', {}),
  }
}

describe('a response of chunks [P-18.4]', () => {
  test('has the headers of the AI SDK, is kept alive, and ends with [DONE]', async () => {
    const sent = await stream('POST', CHAT, { body: body('s1', user('u1')) })
    expect(sent.response.status).toBe(200)
    const headers = Object.fromEntries(sent.response.headers)
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-vercel-ai-ui-message-stream': 'v1',
    })
    await sent.until('it is kept alive before anybody answers', () =>
      /(: keep-alive\n\n){2}/.test(sent.text),
    )
    const run = await startRun('s1', 'u1')
    await run.begin()
    await run.say('the ')
    await run.say('line')
    await run.finish()
    await sent.until('it ends', () => sent.state === 'ended')
    expect(sent.text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(sent.chunks.map(({ type }) => type)).toEqual([
      'start',
      ...sent.chunks.slice(1, -2).map(({ type }) => type),
      'text-end',
      'finish',
    ])
    const text = sent.chunks.map(({ delta = '' }) => delta).join('')
    expect(text).toBe('the line')
    for (const chunk of sent.chunks) {
      expect(await uiMessageChunkSchema().validate?.(chunk)).toMatchObject({ success: true })
    }
  })

  test('is, for a reader that takes nothing for a while, what the answer has become meanwhile', async () => {
    const session = idOf('slow')
    await server.ask('PUT', '/v1/sessions/slow')
    const sent = await stream('POST', CHAT, { body: body('slow', user('u1')) })
    const run = await startRun('slow', 'u1')
    await run.begin()
    let whole = ''
    for (let n = 0; n < 40; n++) {
      const text = `${n} `.repeat(500)
      whole += text
      await run.say(text)
    }
    await run.finish()
    await sent.until('it ends', () => sent.state === 'ended')
    expect(sent.chunks.map(({ delta = '' }) => delta).join('')).toBe(whole)
    await until('nobody follows the session any more', () => !server.watched(session))
  })

  test('lets go of the session when its reader leaves, and cancels nothing [R4]', async () => {
    await server.ask('PUT', '/v1/sessions/left')
    const sent = await stream('POST', CHAT, { body: body('left', user('u1')) })
    await startRun('left', 'u1')
    expect(server.watched('left')).toBe(true)
    sent.leave()
    await until('nobody follows it', () => !server.watched('left'))
    const { json } = await server.ask('GET', '/v1/sessions/left/runs/run-u1')
    expect(json.status).toBe('thinking')
  })

  test('breaks off with the end of its token', async () => {
    await server.ask('PUT', '/v1/sessions/s-token')
    const credential = await server.token({ ttlMs: 1500 })
    const sent = await stream('POST', CHAT, { body: body('s-token', user('u1')), credential })
    expect(sent.response.status).toBe(200)
    await sent.until('it breaks off', () => sent.state === 'broken')
    expect(sent.text).not.toContain('[DONE]')
  })

  test('breaks off where the answer was begun anew and what was told does not hold; who resumes has it right [R3]', async () => {
    await server.ask('PUT', '/v1/sessions/anew')
    const sent = await stream('POST', CHAT, { body: body('anew', user('u1')) })
    const run = await startRun('anew', 'u1')
    await run.begin()
    const steps = (...texts: readonly string[]) =>
      texts.flatMap((text) => [{ type: 'step-start' }, { type: 'text', text }])
    const add = (part: object) => ({
      type: 'message.delta',
      data: { message: `${run.run}.m1`, add: part },
    })
    await run.post('events', steps('first thought, ', 'second').map(add))
    await sent.until('both are told', () => sent.text.includes('second'))
    const parts = steps('another thought, ', 'and its end')
    await run.post('events', [
      { type: 'message.replaced', data: { message: `${run.run}.m1`, parts } },
    ])
    await run.finish()
    await sent.until('it breaks off', () => sent.state === 'broken')
    expect(sent.text).not.toContain('[DONE]')
    const again = await stream('GET', `${CHAT}/anew/stream?last=true`)
    await again.until('it ends', () => again.state === 'ended')
    const text = again.chunks.map(({ delta = '' }) => delta).join('')
    expect(text).toBe('another thought, and its end')
  })

  test('says that the session is gone where somebody removes it', async () => {
    await server.ask('PUT', '/v1/sessions/removed')
    const sent = await stream('POST', CHAT, { body: body('removed', user('u1')) })
    await server.ask('DELETE', '/v1/sessions/removed')
    await sent.until('it ends', () => sent.state === 'ended')
    expect(sent.chunks).toMatchObject([{ type: 'error', errorText: expect.stringMatching(/\S/) }])
  })

  test('follows the run that took the input, where none was triggered by it', async () => {
    await server.ask('PUT', '/v1/sessions/taken')
    const run = await startRun('taken', 'something-else', 'r1')
    const sent = await stream('POST', CHAT, { body: body('taken', user('u1')) })
    await run.begin()
    await run.say('mine')
    await server.ask('POST', '/v1/sessions/taken/inputs/u1/deliver', {
      body: { run: 'r1' },
      headers: { 'run-epoch': '1' },
    })
    await sent.until('it is told', () => sent.text.includes('mine'))
    await run.finish()
    await sent.until('it ends', () => sent.state === 'ended')
  })

  test(
    'ends as interrupted where the input is taken back, and as an error where the agent is lost for good',
    { timeout: 30_000 },
    async () => {
      await server.ask('PUT', '/v1/sessions/ends')
      const withdrawn = await stream('POST', CHAT, { body: body('ends', user('u1')) })
      const { json } = await server.ask('POST', `${CHAT}/ends/stop`)
      expect(json).toEqual({ runs: [], inputs: ['u1'] })
      await withdrawn.until('it ends', () => withdrawn.state === 'ended')
      expect(withdrawn.chunks).toEqual([
        { type: 'finish', finishReason: 'interrupted' },
        { type: 'abort' },
      ])
      const lost = await stream('POST', CHAT, { body: body('ends', user('u2')) })
      await server.ask('POST', '/v1/sessions/ends/runs', { body: { run: 'r2', trigger: 'u2' } })
      await lose('ends', 'r2')
      await lost.until('it ends', () => lost.state === 'ended')
      expect(lost.chunks).toEqual([{ type: 'error', errorText: 'the agent was lost' }])
      expect((await server.ask('GET', `${CHAT}/ends/stream`)).status).toBe(204)
    },
  )

  test('is read by browsers of allowed origins alone', async () => {
    await server.ask('PUT', '/v1/sessions/cors')
    const ask = { body: body('cors', user('u1')), headers: { origin: ORIGIN } }
    const sent = await stream('POST', CHAT, ask)
    expect(sent.response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
  })

  test('goes on where another agent takes the lost run over, also for who resumes meanwhile [R6]', async () => {
    await server.ask('PUT', '/v1/sessions/adopted')
    const sent = await stream('POST', CHAT, { body: body('adopted', user('u1')) })
    const run = await startRun('adopted', 'u1', 'r1')
    await run.begin()
    await run.say('before, ')
    await lose('adopted', 'r1')
    const resumed = await stream('GET', `${CHAT}/adopted/stream`)
    const adopted = await server.ask('POST', '/v1/sessions/adopted/runs/r1/adopt', { body: {} })
    const headers = { 'run-epoch': String(adopted.json.epoch) }
    const data = { message: 'r1.m1', text: 'and after' }
    const more = { body: [{ type: 'message.delta', data }], headers }
    await server.ask('POST', '/v1/sessions/adopted/runs/r1/events', more)
    await server.ask('POST', '/v1/sessions/adopted/runs/r1/finish', { body: {}, headers })
    for (const one of [sent, resumed]) {
      await one.until('it ends', () => one.state === 'ended')
      expect(one.chunks.map(({ delta = '' }) => delta).join('')).toBe('before, and after')
      expect(one.chunks.at(-1)).toMatchObject({ type: 'finish' })
    }
  })

  /** Its lease is over: first it is stalled, then lost. */
  async function lose(session: string, run: string): Promise<void> {
    for (let n = 0; n < 2; n++) {
      const deadline = `run:${run}`
      const { at } = await deadlineOf(session, deadline)
      await server.runs.leaseDue({ session: idOf(session), deadline, at })
    }
    const { json } = await server.ask('GET', `/v1/sessions/${session}/runs/${run}`)
    expect(json.status).toBe('lost')
  }

  async function deadlineOf(session: string, deadline: string): Promise<{ readonly at: number }> {
    const conflict = await server.store.commit({
      session: idOf(session),
      guards: [{ deadline, at: -1 }],
    })
    if (conflict.outcome !== 'conflict') throw new Error('there is no such deadline')
    return { at: conflict.deadlines.get(deadline) ?? 0 }
  }
})

describe('what is sent [P-18.2]', () => {
  test('is one run, however often it comes at once [R8]', async () => {
    await server.ask('PUT', '/v1/sessions/many')
    const content = { body: body('many', user('u1', 'twenty times')) }
    const sent = await Promise.all(Array.from({ length: 20 }, () => stream('POST', CHAT, content)))
    const { json } = await server.ask('GET', '/v1/sessions/many/inputs')
    expect(json.inputs).toMatchObject([{ id: 'u1' }])
    const run = await startRun('many', 'u1')
    await run.begin()
    await run.say('once')
    await run.finish()
    await until('all have the answer', () => sent.every(({ state }) => state === 'ended'))
    const texts = sent.map(({ chunks }) => chunks.map(({ delta = '' }) => delta).join(''))
    expect(new Set(texts)).toEqual(new Set(['once']))
    const { json: all } = await server.ask('GET', '/v1/sessions/many/messages')
    expect(all.messages).toHaveLength(2)
  })

  test('gives the agent its metadata, and what else the application sent along', async () => {
    await server.ask('PUT', '/v1/sessions/extra')
    const message = { ...user('u1'), metadata: { mood: 'good' } }
    await stream('POST', CHAT, { body: { ...body('extra', message), model: 'large' } })
    const { json } = await server.ask('GET', '/v1/sessions/extra/inputs')
    expect(json.inputs[0].data).toEqual({ metadata: { mood: 'good' }, body: { model: 'large' } })
  })

  test('makes its session where the credentials may', async () => {
    const may = await server.token({ capabilities: ['send', 'history', 'create'] })
    const sent = await stream('POST', CHAT, { body: body('s-new', user('u1')), credential: may })
    expect(sent.response.status).toBe(200)
    expect((await server.ask('GET', '/v1/sessions/s-new')).status).toBe(200)
    const mayNot = await server.token({ capabilities: ['send', 'history'] })
    const ask = { body: body('s-none', user('u1')), credential: mayNot }
    const { status, json } = await server.ask('POST', CHAT, ask)
    expect({ status, code: json.code }).toEqual({ status: 404, code: 'session_not_found' })
  })
})

describe('hydration [P-18.5]', () => {
  test('gives the latest, as many as are asked for, and says whether there are more', async () => {
    await server.ask('PUT', '/v1/sessions/pages')
    const events = Array.from({ length: 5 }, (_, n) => ({
      type: 'message.completed',
      data: {
        message: `m${n}`,
        role: n % 2 === 0 ? 'user' : 'assistant',
        parts: [{ type: 'text', text: `${n}` }],
      },
    }))
    await server.ask('POST', '/v1/sessions/pages/events', { body: events })
    const page = await server.ask('GET', `${CHAT}/pages/messages?limit=2`)
    expect(page.json).toEqual({
      messages: [
        { id: 'm3', role: 'assistant', parts: [expect.objectContaining({ text: '3' })] },
        { id: 'm4', role: 'user', parts: [{ type: 'text', text: '4' }] },
      ],
      more: true,
    })
    const all = await server.ask('GET', `${CHAT}/pages/messages`)
    expect(all.json.messages).toHaveLength(5)
    expect(all.json.more).toBe(false)
  })
})

type Row = readonly [what: string, ask: Ask, code: ErrorCode]

const sends = (what: string, content: unknown, code: ErrorCode): Row => [
  what,
  { body: content },
  code,
]
const raw = (what: string, text: string, code: ErrorCode): Row => [
  what,
  { raw: text, headers: { 'content-type': 'application/json' } },
  code,
]

describe('a request that is refused [P-18.8]', () => {
  const rows: readonly Row[] = [
    ['no body', {}, 'empty_body'],
    raw('no JSON', '{"id":', 'invalid_json'),
    raw('an array', '[]', 'invalid_request'),
    raw('a key twice', '{"id":"s1","id":"s1","messages":[]}', 'duplicate_key'),
    raw('a forbidden key', '{"id":"s1","__proto__":{},"messages":[]}', 'forbidden_key'),
    raw(
      'JSON that is too deep',
      `{"id":"s1","messages":${'['.repeat(40)}${']'.repeat(40)}}`,
      'too_deep',
    ),
    raw('a lone surrogate', '{"id":"s1","messages":["\\ud800"]}', 'invalid_utf8'),
    [
      'another media type',
      { raw: '{}', headers: { 'content-type': 'text/plain' } },
      'unsupported_media_type',
    ],
    raw('over 4 MiB', `{"id":"s1","x":"${'x'.repeat(4 * 1024 * 1024)}"}`, 'payload_too_large'),
    sends('no id', { messages: [user('u1')] }, 'invalid_request'),
    sends('an id that is a number', { id: 1, messages: [user('u1')] }, 'invalid_request'),
    sends('an id that is none', body('a/b', user('u1')), 'invalid_session_id'),
    sends('two dots for an id', body('..', user('u1')), 'invalid_session_id'),
    sends('an id that is too long', body('a'.repeat(129), user('u1')), 'invalid_session_id'),
    sends('no messages', { id: 's1' }, 'invalid_request'),
    sends('messages that are no list', { id: 's1', messages: {} }, 'invalid_request'),
    sends('an empty list', body('s1'), 'invalid_request'),
    sends(
      'nobody’s words as the last',
      body('s1', { ...user('u9'), role: 'system' }),
      'invalid_request',
    ),
    sends(
      'an answer as the last message',
      body('s1', user('u1'), assistant('a1')),
      'message_not_found',
    ),
    sends('another role', body('s1', { ...user('u1'), role: 'tool' }), 'invalid_request'),
    sends('a message without an id', body('s1', { role: 'user', parts: [] }), 'invalid_request'),
    sends('a message whose id is none', body('s1', user('not an id')), 'invalid_request'),
    sends('a message without parts', body('s1', { id: 'u9', role: 'user' }), 'invalid_request'),
    sends(
      'a message that says nothing',
      body('s1', { ...user('u9'), parts: [] }),
      'invalid_request',
    ),
    sends(
      'a part without a type',
      body('s1', { ...user('u9'), parts: [{ text: 'x' }] }),
      'invalid_request',
    ),
    sends(
      'a part whose text is a number',
      body('s1', { ...user('u9'), parts: [{ type: 'text', text: 1 }] }),
      'invalid_request',
    ),
    sends('another trigger', { ...body('s1', user('u9')), trigger: 'resume' }, 'invalid_request'),
    sends(
      'a messageId that is a number',
      { ...body('s1', user('u9')), messageId: 1 },
      'invalid_request',
    ),
    sends(
      'a message that is too large',
      body('s1', user('u9', 'x'.repeat(70_000))),
      'payload_too_large',
    ),
    sends(
      'the words of another message under its id',
      body('s1', user('u1', 'other words')),
      'idempotency_conflict',
    ),
    sends(
      'to answer anew what is not there',
      { ...body('s1', user('u404')), trigger: 'regenerate-message' },
      'message_not_found',
    ),
    sends(
      'to answer anew in a session that is not there',
      { ...body('none', user('u1')), trigger: 'regenerate-message' },
      'message_not_found',
    ),
    sends('to a session that is closed', body('closed', user('u9')), 'session_closed'),
    ['without credentials', { body: body('s1', user('u9')), credential: null }, 'unauthenticated'],
  ]

  test.for(rows)('%s', async ([, ask, code]) => {
    const { status, json, headers } = await server.ask('POST', CHAT, ask)
    expect({ status, code: json?.code }).toEqual({ status: ERRORS[code].status, code })
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  })

  test('who may not read what is answered may not send; who may not send may not', async () => {
    const content = { body: body('s1', user('u9')) }
    for (const capabilities of [['send'], ['history', 'subscribe']] as const) {
      const credential = await server.token({ capabilities: [...capabilities] })
      const { json } = await server.ask('POST', CHAT, { ...content, credential })
      expect(json.code).toBe('forbidden')
    }
    const elsewhere = await server.token({ sessions: ['s2'] })
    const { json } = await server.ask('POST', CHAT, { ...content, credential: elsewhere })
    expect(json.code).toBe('session_not_found')
  })

  test.for([
    ['GET', '/s1/stream?last=maybe', 'invalid_request'],
    ['GET', '/s1/stream?version=8', 'invalid_request'],
    ['GET', '/s1/stream?after=1', 'unknown_field'],
    ['GET', '/a%2Fb/stream', 'invalid_session_id'],
    ['GET', '/s1/messages?limit=0', 'invalid_limit'],
    ['GET', '/none/messages', 'session_not_found'],
    ['POST', '/none/stop', 'session_not_found'],
    ['DELETE', '/s1/stream', 'method_not_allowed'],
  ] as const)('%s %s', async ([method, path, code]) => {
    const { status, json } = await server.ask(method, CHAT + path)
    expect({ status, code: json.code }).toEqual({ status: ERRORS[code].status, code })
  })

  test('a plain request of the socket’s path', async () => {
    const { status, json } = await server.ask('GET', '/compat/ai-sdk/ws')
    expect({ status, code: json.code }).toEqual({ status: 426, code: 'upgrade_required' })
  })
})
