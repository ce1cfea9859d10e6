import { describe, expect, test } from 'vitest'
import { Credentials } from '../../src/client/credentials.ts'
import type { Session } from '../../src/client/session.ts'
import { settle } from './support/fake-clock.ts'
import { makeHttpWorld } from './support/http-setup.ts'
import { problem } from './support/model-http.ts'

const ok = (body: object = {}, status = 200): Response => Response.json(body, { status })

/** A client that is attached over the model's socket, and asks by requests. */
async function live() {
  const world = makeHttpWorld()
  const { http, server, clock } = world
  const credentials = new Credentials(clock, 'a-token', undefined)
  const client = world.open({ credentials, http: world.requests(credentials) })
  const session = client.session('s 1')
  session.attach()
  await settle()
  /** What was asked, and what of it reached the server. */
  const asked = () =>
    http.requests.map(({ method, path, body }) => [
      method,
      path.replace('/v1/sessions/s%201', ''),
      body,
    ])
  return { ...world, client, session, server, asked }
}

describe('a verb is one request, with the credentials of all others', () => {
  const verbs: [string, (session: Session) => Promise<unknown>, unknown[]][] = [
    [
      'input [P-11.1]',
      (session) => session.input({ id: 'i', mode: 'queue', parts: 'Go on', expiresInMs: 9 }),
      [
        'POST',
        '/inputs',
        { input: 'i', mode: 'queue', parts: [{ type: 'text', text: 'Go on' }], expiresInMs: 9 },
      ],
    ],
    [
      'input without words [P-11.1]',
      (session) => session.input({ id: 'i', mode: 'steer', run: 'r', data: { k: 1 } }),
      ['POST', '/inputs', { input: 'i', mode: 'steer', run: 'r', data: { k: 1 } }],
    ],
    [
      'input that has a message answered again [P-16.5]',
      (session) => session.input({ id: 'i', mode: 'queue', parent: 'u1' }),
      ['POST', '/inputs', { input: 'i', mode: 'queue', parent: 'u1' }],
    ],
    [
      'input that is an edit of the first message [P-16.5]',
      (session) => session.input({ id: 'i', mode: 'queue', parts: 'Again', parent: null }),
      [
        'POST',
        '/inputs',
        { input: 'i', mode: 'queue', parts: [{ type: 'text', text: 'Again' }], parent: null },
      ],
    ],
    [
      'interrupt [P-11.2]',
      (session) => session.interrupt('Stop', { id: 'i', run: 'r' }),
      [
        'POST',
        '/inputs',
        { input: 'i', run: 'r', mode: 'interrupt', parts: [{ type: 'text', text: 'Stop' }] },
      ],
    ],
    [
      'cancel a run [P-10.8]',
      (session) => session.cancel({ run: 'r', reason: 'enough' }),
      ['POST', '/runs/r/cancel', { reason: 'enough' }],
    ],
    [
      'cancel an input [P-11.4]',
      (session) => session.cancel({ input: 'i' }),
      ['POST', '/inputs/i/cancel', {}],
    ],
    [
      'answer [P-11.5]',
      (session) => session.answer('q', false),
      ['POST', '/questions/q/answer', { answer: false }],
    ],
    [
      'setState [P-12.1]',
      (session) => session.setState('plan', ['a']),
      ['PUT', '/state/plan', ['a']],
    ],
    [
      'patchState [P-12.3]',
      (session) => session.patchState('plan', { a: null }),
      ['PATCH', '/state/plan', { a: null }],
    ],
    [
      'deleteState [P-12.1]',
      (session) => session.deleteState('../plan'),
      ['DELETE', '/state/..%2Fplan', undefined],
    ],
    [
      'takeControl [P-14.1]',
      (session) => session.takeControl({ force: true }),
      ['POST', '/control/take', { force: true }],
    ],
    [
      'releaseControl [P-14.1]',
      (session) => session.releaseControl(),
      ['POST', '/control/release', {}],
    ],
  ]

  test.each(verbs)('%s', async (_, run, expected) => {
    const { session, http, asked } = await live()
    const controlled = { controller: { subject: 'me', kind: 'human' }, released: true }
    const all = { input: 'i', outcome: 'queued', cancelled: true, question: 'q', version: 1 }
    http.refusals.push(ok({ ...all, ...controlled }))
    await run(session)
    expect(asked()).toEqual([expected])
    expect(http.requests[0]?.headers.get('authorization')).toBe('Bearer a-token')
  })

  test('an input gets an id of its own, and says what became of it', async () => {
    const { session, http } = await live()
    http.refusals.push(ok({ input: 'x', outcome: 'queued' }, 201))
    expect(await session.input({ mode: 'queue', data: 1 })).toMatchObject({ outcome: 'queued' })
    expect(http.requests[0]?.body).toMatchObject({ input: expect.stringMatching(/^[0-9A-Z]{26}$/) })
  })

  test('what is answered is read [P-11.1] [P-10.8]', async () => {
    const { session, http } = await live()
    http.refusals.push(ok({ input: 'i', outcome: 'too_late', more: 1 }))
    const said = session.input({ id: 'i', mode: 'interrupt', run: 'r' })
    expect(await said).toEqual({ input: 'i', outcome: 'too_late' })
    http.refusals.push(ok({ cancelled: false, status: 'finished' }), ok({ cancelled: true }))
    expect(await session.cancel({ run: 'r' })).toEqual({ cancelled: false, status: 'finished' })
    expect(await session.cancel({ input: 'i' })).toEqual({ cancelled: true })
  })

  test('[P-2.7] what cannot be read is no answer: the same is sent again, or told to be unknown', async () => {
    const { session, http, clock, asked } = await live()
    const foreign = () => [ok({ input: 'i' }), new Response(''), ok([]), ok({ ok: true })]
    http.refusals.push(...foreign(), ok({ input: 'i', outcome: 'queued' }))
    const said = session.input({ id: 'i', mode: 'queue' })
    http.refusals.push(...foreign(), ok({ question: 'q', status: 'answered' }))
    await clock.advance(60_000)
    expect(await said).toEqual({ input: 'i', outcome: 'queued' })
    const answered = session.answer('q', true)
    await clock.advance(60_000)
    await answered
    expect(http.refusals).toEqual([])
    expect(new Set(asked().map((one) => JSON.stringify(one))).size).toBe(2)
    http.refusals.push(ok({ ok: true }))
    const unknown = { code: 'invalid_answer', retryable: true }
    await expect(session.setState('k', 1)).rejects.toMatchObject(unknown)
  })

  test('[P-12.2] the state is written over the version that is named, and gives the new one', async () => {
    const { session, http } = await live()
    http.refusals.push(ok({ version: 4 }), ok({ version: 1 }), ok({ version: 5 }))
    expect(await session.setState('k', 1, { ifVersion: 3 })).toBe(4)
    expect(await session.setState('k', 1, { ifVersion: null })).toBe(1)
    await session.patchState('k', [{ op: 'remove', path: '/a' }])
    const [over, absent, patch] = http.requests.map(({ headers }) => headers)
    expect(over?.get('if-match')).toBe('"3"')
    expect(absent?.get('if-none-match')).toBe('*')
    expect(patch?.get('content-type')).toBe('application/json-patch+json')
  })
})

describe('when no answer comes', () => {
  test('[P-2.7] what is harmless to do twice is sent again with the same id, until it is answered', async () => {
    const { session, http, clock } = await live()
    http.refusals.push(problem(503, { code: 'outcome_unknown', retryable: true }))
    http.refusals.push(
      new Response('<html>', { status: 502 }),
      ok({ input: 'i', outcome: 'queued' }),
    )
    const answer = session.input({ mode: 'queue', parts: 'once' })
    await clock.advance(10_000)
    expect(await answer).toMatchObject({ outcome: 'queued' })
    const ids = http.requests.map(({ body }) => (body as { readonly input: string }).input)
    expect(ids).toHaveLength(3)
    expect(new Set(ids).size).toBe(1)
  })

  test('after six tries it fails by the promise, and does not take silence for a refusal', async () => {
    const { session, http, clock } = await live()
    http.away = true
    const answer = session.cancel({ run: 'r' })
    const failed = expect(answer).rejects.toMatchObject({ code: 'disconnected', retryable: true })
    await clock.advance(120_000)
    await failed
    expect(http.requests).toHaveLength(6)
  })

  test('a write of the state is sent once: a second try could not be told from a second wish', async () => {
    const { session, http } = await live()
    http.away = true
    await expect(session.setState('k', 1)).rejects.toMatchObject({ code: 'disconnected' })
    expect(http.requests).toHaveLength(1)
  })

  test('a refusal is the caller’s at once, with its facts', async () => {
    const { session, http } = await live()
    http.refusals.push(problem(409, { code: 'question_closed', by: 'bob' }))
    await expect(session.answer('q', 1)).rejects.toMatchObject({
      code: 'question_closed',
      facts: { by: 'bob' },
    })
    expect(http.requests).toHaveLength(1)
  })

  test('a client that closes ends what is under way, and leaves no timer', async () => {
    const { session, client, http, clock } = await live()
    http.away = true
    const failed = expect(session.interrupt('Stop', { run: 'r' })).rejects.toMatchObject({
      code: 'client_closed',
    })
    await settle()
    client.close()
    await failed
    expect(clock.pending).toBe(0)
    await expect(session.interrupt('Stop')).rejects.toMatchObject({ code: 'client_closed' })
    expect(http.requests).toHaveLength(1)
  })
})

test('what the log says of runs, inputs, questions, the state and control is in the snapshot, and changes with it', async () => {
  const { session, server } = await live()
  expect(session.runs).toEqual([])
  expect(session.controller).toBeNull()
  server.append(
    's 1',
    { type: 'run.started', data: { run: 'r', epoch: 1 } },
    { type: 'input.received', data: { input: 'i', mode: 'queue' } },
    { type: 'question.asked', data: { question: 'q', prompt: 'Sure?' } },
    { type: 'state.set', data: { key: 'k', version: 1, value: { a: 1 } } },
    { type: 'effect.reserved', data: { effect: 'e', run: 'r', attempt: 1 } },
    { type: 'delivery.pending', data: { delivery: 'd', run: 'r', to: 'ada' } },
    { type: 'control.taken', data: { subject: 'ada', kind: 'human' } },
  )
  const before = session.getSnapshot()
  expect(session.runs).toBe(before.runs)
  expect(session.runs.map(({ id, status }) => [id, status])).toEqual([['r', 'thinking']])
  expect(session.inputs.map(({ id }) => id)).toEqual(['i'])
  expect(session.questions.map(({ id, status }) => [id, status])).toEqual([['q', 'open']])
  expect(session.sharedState.get('k')).toEqual({ key: 'k', version: 1, value: { a: 1 } })
  expect(session.effects.map(({ id }) => id)).toEqual(['e'])
  expect(session.deliveries.map(({ id }) => id)).toEqual(['d'])
  expect(session.controller).toEqual({ subject: 'ada', kind: 'human' })
  server.append('s 1', { type: 'run.finished', data: { run: 'r' } })
  expect(before.runs[0]?.status).toBe('thinking')
  expect(session.runs[0]?.status).toBe('finished')
})
