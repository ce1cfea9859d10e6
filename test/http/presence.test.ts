import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let session = ''
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp({ limits: { maxMembers: 3 } })
})

beforeEach(async () => {
  session = `s-${++made}`
  path = `/v1/sessions/${session}`
  await server.ask('PUT', path)
})

afterAll(() => server?.close())

const put = (member: string, body: unknown, credential?: string): Promise<Answered> =>
  server.ask('PUT', `${path}/presence/${member}`, {
    body,
    ...(credential !== undefined && { credential }),
  })
const present = async (): Promise<Answered['json']> =>
  (await server.ask('GET', `${path}/presence`)).json
const events = async (): Promise<string[]> =>
  (await server.ask('GET', `${path}/events?after=1`)).json.events.map(
    ({ type }: { type: string }) => type,
  )

describe('[P-5.5] presence over HTTP', () => {
  test('PUT enters, and again changes what is different, and nothing else', async () => {
    const entered = await put('tab-1', { status: 'reading', data: { x: 1 }, ttlMs: 60_000 })
    expect(entered.json).toEqual({ member: 'tab-1', ttlMs: 60_000 })
    await put('tab-1', { status: 'reading', data: { x: 1 }, ttlMs: 60_000 })
    expect(await events()).toEqual(['member.entered'])
    await put('tab-1', { status: 'typing', ttlMs: 60_000 })
    expect(await events()).toEqual(['member.entered', 'member.updated'])
    expect(await present()).toMatchObject({
      members: [
        { member: 'tab-1', subject: 'key:agent', kind: 'agent', connected: true, status: 'typing' },
      ],
    })
  })

  test('GET counts those who are attached, each subject once a kind', async () => {
    const anna = await server.token({ subject: 'anna' })
    const ben = await server.token({ subject: 'ben' })
    await put('a1', {}, anna)
    await put('a2', {}, anna)
    await put('b1', {}, ben)
    expect(await present()).toMatchObject({ attached: { human: 2, agent: 0, supervisor: 0 } })
    expect((await present()).members).toHaveLength(3)
  })

  test('DELETE leaves at once, and again changes nothing', async () => {
    await put('tab-1', {})
    expect((await server.ask('DELETE', `${path}/presence/tab-1`)).status).toBe(204)
    expect((await server.ask('DELETE', `${path}/presence/tab-1`)).status).toBe(204)
    expect(await events()).toEqual(['member.entered', 'member.left'])
    expect((await present()).members).toEqual([])
  })

  test('nobody speaks for a member of another subject; a manager may remove it', async () => {
    const anna = await server.token({ subject: 'anna', capabilities: ['presence'] })
    const ben = await server.token({ subject: 'ben', capabilities: ['presence'] })
    await put('a1', {}, anna)
    expect((await put('a1', {}, ben)).json.code).toBe('forbidden')
    const remove = (credential?: string): Promise<Answered> =>
      server.ask('DELETE', `${path}/presence/a1`, {
        ...(credential !== undefined && { credential }),
      })
    expect((await remove(ben)).json.code).toBe('forbidden')
    expect((await present()).members).toHaveLength(1)
    expect((await remove()).status).toBe(204)
  })

  test('a kind may be given only by credentials that allow it', async () => {
    const anna = await server.token({ subject: 'anna', kind: 'human' })
    expect((await put('a1', { kind: 'supervisor' }, anna)).json.code).toBe('forbidden')
    expect((await put('a1', { kind: 'supervisor' })).status).toBe(200)
    expect(await present()).toMatchObject({ attached: { supervisor: 1 } })
  })

  test('members are bounded in number and size', async () => {
    for (const member of ['a', 'b', 'c']) await put(member, {})
    const { status, json, headers } = await put('d', {})
    expect({ status, json }).toMatchObject({
      status: 429,
      json: { code: 'presence_limit', maxMembers: 3 },
    })
    expect(headers.get('retry-after')).toBe('1')
    const large = await put('a', { data: { text: 'a'.repeat(9000) } })
    expect(large.json.code).toBe('payload_too_large')
  })

  test.for([
    ['a member id without the form', 'a%20b', {}],
    ['a ttl that is too short', 'a', { ttlMs: 1 }],
    ['a kind that nobody knows', 'a', { kind: 'robot' }],
    ['data that is no object', 'a', { data: [] }],
  ] as const)('refuses %s', async ([, member, body]) => {
    const { status, json } = await put(member, body)
    expect({ status, code: json.code }).toEqual({ status: 400, code: 'invalid_request' })
  })

  test('nobody enters a closed session', async () => {
    await server.ask('POST', `${path}/close`)
    expect((await put('a', {})).json.code).toBe('session_closed')
  })
})

describe('[P-5.5] a wait for who is there', () => {
  const wait = async (query: string, signal?: AbortSignal): Promise<Answered> =>
    server.ask('GET', `${path}/presence?wait=20&${query}`, { ...(signal && { signal }) })
  /** The poll is there before what it waits for. */
  const asking = async (query: string): Promise<() => Promise<Answered>> => {
    const asked = wait(query)
    await until('the poll listens', () => server.watched(session))
    return () => asked
  }
  const nobodyListens = (): Promise<void> =>
    until('nobody listens any more', () => !server.watched(session))

  test('ends with the first person, and at once where one is there [S0-17] [S4-19]', async () => {
    const ada = await server.token({ subject: 'ada' })
    const answer = await asking('until=attached')
    await put('bot', {})
    await put('a1', { visible: false }, ada)
    const { status, json } = await answer()
    expect([status, json.attached]).toEqual([200, { human: 1, agent: 1, supervisor: 0 }])
    expect(json.members).toMatchObject([{ member: 'bot' }, { member: 'a1', visible: false }])
    await nobodyListens()
    expect((await wait('')).json).toEqual(json)
  })

  test('ends when nobody is left: with the last of them, not with the first [S0-17] [S0-18]', async () => {
    const ada = await server.token({ subject: 'ada' })
    const ben = await server.token({ subject: 'ben' })
    await put('a1', {}, ada)
    await put('b1', {}, ben)
    await put('bot', {})
    const answer = await asking('until=empty')
    await server.ask('DELETE', `${path}/presence/a1`, { credential: ada })
    await server.ask('DELETE', `${path}/presence/b1`, { credential: ben })
    expect((await answer()).json).toMatchObject({
      members: [{ member: 'bot' }],
      attached: { human: 0, agent: 1 },
    })
    expect((await wait('until=empty')).json.attached).toMatchObject({ human: 0 })
  })

  test('is for the kind that it names', async () => {
    await put('bot', {})
    const answer = await asking('kind=agent&until=empty')
    await server.ask('DELETE', `${path}/presence/bot`)
    expect((await answer()).json.members).toEqual([])
    expect((await wait('kind=supervisor&until=empty')).json.members).toEqual([])
  })

  test('that is over first is answered with who is there then', async () => {
    await put('bot', {})
    const { status, json } = await server.ask('GET', `${path}/presence?wait=1`)
    expect([status, json.attached]).toEqual([200, { human: 0, agent: 1, supervisor: 0 }])
    await nobodyListens()
  })

  test('ends with its client', async () => {
    const stop = new AbortController()
    const asked = wait('until=attached', stop.signal)
    await until('the poll listens', () => server.watched(session))
    stop.abort()
    await expect(asked).rejects.toThrow()
    await nobodyListens()
  })

  test('without a time is no wait, and what makes no sense is refused', async () => {
    expect((await server.ask('GET', `${path}/presence?until=attached`)).status).toBe(200)
    for (const query of ['wait=31', 'wait=-1', 'wait=x', 'until=full', 'kind=robot', 'kind=']) {
      const { json } = await server.ask('GET', `${path}/presence?${query}`)
      expect([query, json.code]).toEqual([query, 'invalid_request'])
    }
    const elsewhere = await server.ask('GET', '/v1/sessions/nowhere/presence?wait=5')
    expect(elsewhere.json.code).toBe('session_not_found')
  })
})
