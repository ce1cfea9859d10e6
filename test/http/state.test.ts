import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

const MERGE = 'application/merge-patch+json'
const PATCH = 'application/json-patch+json'
const JSON_TYPE = 'application/json'

let server: HttpServer
let session = ''
let made = 0

beforeAll(async () => {
  server = await startHttp()
})
beforeEach(async () => {
  session = `/v1/sessions/s-state-${++made}`
  await server.ask('PUT', session)
})
afterAll(() => server?.close())

function put(key: string, raw: string, headers: Record<string, string> = {}): Promise<Answered> {
  return server.ask('PUT', `${session}/state/${key}`, {
    raw,
    headers: { 'content-type': JSON_TYPE, ...headers },
  })
}

function patch(key: string, type: string, raw: string, headers = {}): Promise<Answered> {
  return server.ask('PATCH', `${session}/state/${key}`, {
    raw,
    headers: { 'content-type': type, ...headers },
  })
}

describe('[P-12.1] the shared state over HTTP', () => {
  test('[S1-07] a value comes back as the bytes that went in, with its version as the ETag', async () => {
    const raw = '{"b":1.0, "a":12345678901234567890, "b":2}'
    const set = await put('tool.result', raw)
    expect([set.status, set.headers.get('etag')]).toEqual([200, '"1"'])
    expect(set.json).toMatchObject({ key: 'tool.result', version: 1, durability: 'memory' })
    const { head } = (await server.ask('GET', session)).json
    expect(set.json.position).toBe(head)
    const got = await server.ask('GET', `${session}/state/tool.result`)
    expect([got.status, got.text, got.headers.get('etag')]).toEqual([200, raw, '"1"'])
    const all = await server.ask('GET', `${session}/state`)
    expect(all.text).toBe(`{"state":[{"key":"tool.result","version":1,"value":${raw}}]}`)
    const { rest } = (await server.ask('GET', `${session}/messages`)).json
    expect(rest.state).toMatchObject([{ key: 'tool.result', version: 1 }])
  })

  test.each(['null', '0', '"text"', '[]', 'false'])('a value may be %s', async (raw) => {
    await put('k', ` ${raw}\n`)
    expect((await server.ask('GET', `${session}/state/k`)).text).toBe(raw)
  })

  test('a deleted key is not found, and deleting it again is no mistake', async () => {
    await put('k', '1')
    expect((await server.ask('DELETE', `${session}/state/k`)).status).toBe(204)
    expect((await server.ask('DELETE', `${session}/state/k`)).status).toBe(204)
    expect((await server.ask('GET', `${session}/state/k`)).json.code).toBe('state_not_found')
    expect((await put('k', '2')).json.version).toBe(3)
  })

  test('a value, and a session, have their limits', async () => {
    const large = JSON.stringify('x'.repeat(64 * 1024))
    expect((await put('k', large)).json).toMatchObject({ code: 'payload_too_large', status: 413 })
    const most = JSON.stringify('x'.repeat(64 * 1024 - 2))
    for (let i = 0; i < 8; i++) expect((await put(`k${i}`, most)).status).toBe(200)
    expect((await put('k8', '1')).json).toMatchObject({ code: 'session_limit', status: 429 })
  })

  test('a key has the form of an id', async () => {
    expect((await put('-a', '1')).json.code).toBe('invalid_request')
    expect((await put('%20', '1')).json.code).toBe('invalid_request')
  })
})

describe('[P-12.2] compare and set', () => {
  test('writes over that version alone, and says which one is there', async () => {
    await put('k', '1')
    expect((await put('k', '2', { 'if-match': '"1"' })).json.version).toBe(2)
    const late = await put('k', '3', { 'if-match': '"1"' })
    expect(late.json).toMatchObject({ status: 412, code: 'version_conflict', version: 2 })
    const deleted = await server.ask('DELETE', `${session}/state/k`, {
      headers: { 'if-match': '"1"' },
    })
    expect(deleted.json.code).toBe('version_conflict')
    expect((await patch('k', MERGE, '5', { 'if-match': '"1"' })).status).toBe(412)
  })

  test('writes only where the key is not set, or only where it is', async () => {
    expect((await put('k', '1', { 'if-match': '*' })).json.code).toBe('version_conflict')
    expect((await put('k', '1', { 'if-none-match': '*' })).status).toBe(200)
    expect((await put('k', '2', { 'if-none-match': '*' })).json.code).toBe('version_conflict')
    expect((await put('k', '2', { 'if-match': '*' })).status).toBe(200)
  })

  test.each([
    { 'if-match': '1' },
    { 'if-match': 'W/"1"' },
    { 'if-match': '"1", "2"' },
    { 'if-match': '"01"' },
    { 'if-none-match': '"1"' },
    { 'if-match': '"1"', 'if-none-match': '*' },
  ])('refuses %j', async (headers) => {
    expect((await put('k', '1', headers)).json.code).toBe('invalid_request')
  })
})

describe('[P-12.3] patches', () => {
  test('[S2-05] a merge patch and a JSON Patch change what is there', async () => {
    await put('k', '{"a":1,"b":[1]}')
    expect((await patch('k', MERGE, '{"a":null,"c":{"d":1}}')).json.version).toBe(2)
    const operations = '[{"op":"add","path":"/b/-","value":2,"note":"ignored"}]'
    expect((await patch('k', `${PATCH}; charset=utf-8`, operations)).json.version).toBe(3)
    expect((await server.ask('GET', `${session}/state/k`)).json).toEqual({ b: [1, 2], c: { d: 1 } })
  })

  test('[R11] many at once from many clients all count', async () => {
    await put('k', '[]')
    const add = (value: number) => patch('k', PATCH, `[{"op":"add","path":"/-","value":${value}}]`)
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => add(i)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const { json } = await server.ask('GET', `${session}/state/k`)
    expect((json as number[]).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    )
  })

  test('one that does not fit changes nothing, and says why', async () => {
    await put('k', '{"a":1}')
    const operations = '[{"op":"add","path":"/b","value":2},{"op":"remove","path":"/c"}]'
    expect((await patch('k', PATCH, operations)).json).toMatchObject({
      status: 422,
      code: 'patch_failed',
      index: 1,
    })
    expect((await patch('none', PATCH, '[]')).json.code).toBe('state_not_found')
    expect((await patch('made', MERGE, '{"a":1}')).json.version).toBe(1)
    expect((await server.ask('GET', `${session}/state/k`)).text).toBe('{"a":1}')
  })

  test.each([
    '{}',
    '[{"op":"add","path":"/a"}]',
    '[{"op":"spam","path":"/a"}]',
    '[{"op":"move","path":"/a"}]',
    '[{"op":"remove"}]',
  ])('%s is no JSON Patch', async (operations) => {
    await put('k', '{"a":1}')
    expect((await patch('k', PATCH, operations)).json).toMatchObject({
      status: 400,
      code: 'invalid_request',
    })
  })

  test('of another media type is refused, and told which are taken', async () => {
    await put('k', '{}')
    for (const type of [JSON_TYPE, 'text/plain', `${MERGE}-not`, `${MERGE}; q=1`]) {
      expect((await patch('k', type, '{}')).json).toMatchObject({
        status: 415,
        accepts: [MERGE, PATCH],
      })
    }
    expect((await put('k', '{}', { 'content-type': MERGE })).status).toBe(415)
  })
})

test('reading needs no right to write, and writing needs it', async () => {
  const reader = await server.token({ capabilities: ['history'] })
  const writer = await server.token({ capabilities: ['state'] })
  const ask = (method: string, credential: string) =>
    server.ask(method, `${session}/state/k`, { body: 1, credential })
  expect((await ask('PUT', reader)).json.code).toBe('forbidden')
  expect((await ask('PUT', writer)).status).toBe(200)
  const read = await server.ask('GET', `${session}/state/k`, { credential: reader })
  expect(read.text).toBe('1')
})
