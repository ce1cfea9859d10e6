import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ORIGIN, startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer

beforeAll(async () => {
  server = await startHttp()
})

afterAll(() => server?.close())

const wish = {
  subject: 'anna',
  sessions: ['s1', 'room-*'],
  capabilities: ['subscribe', 'send'],
  ttlMs: 60_000,
}

describe('[P-9.7] tokens', () => {
  test('a key makes a token, and the answer says what it grants', async () => {
    const { status, json } = await server.ask('POST', '/v1/tokens', {
      body: { ...wish, name: 'Anna' },
    })
    expect(status).toBe(201)
    expect(json).toMatchObject({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      subject: 'anna',
      sessions: ['s1', 'room-*'],
      capabilities: ['subscribe', 'send'],
      kind: 'human',
    })
    await server.ask('PUT', '/v1/sessions/s1')
    const body = { type: 'x.a' }
    const used = await server.ask('POST', '/v1/sessions/s1/events', {
      body,
      credential: json.token,
    })
    expect(used.status).toBe(200)
  })

  test('it never grants more than the credentials that ask for it', async () => {
    const credential = await server.token({
      capabilities: ['tokens', 'subscribe'],
      sessions: ['s*'],
    })
    const body = { ...wish, sessions: ['*x', 's1', 'other'].slice(1) }
    const { json } = await server.ask('POST', '/v1/tokens', { body, credential })
    expect(json).toMatchObject({ sessions: ['s1'], capabilities: ['subscribe'] })
    const other = await server.ask('POST', '/v1/tokens', {
      body: { ...body, subject: 'ben' },
      credential,
    })
    expect(other.json.code).toBe('forbidden')
  })

  test('it needs the capability', async () => {
    const credential = await server.token({ capabilities: ['subscribe', 'manage'] })
    const { status, json } = await server.ask('POST', '/v1/tokens', { body: wish, credential })
    expect({ status, code: json.code }).toEqual({ status: 403, code: 'forbidden' })
  })

  test.for([
    [{ ...wish, ttlMs: 25 * 60 * 60 * 1000 }, 'invalid_request'],
    [{ ...wish, ttlMs: 10 }, 'invalid_request'],
    [{ ...wish, sessions: [] }, 'invalid_request'],
    [{ ...wish, sessions: ['*'] }, 'invalid_request'],
    [{ ...wish, sessions: ['a*b'] }, 'invalid_request'],
    [{ ...wish, capabilities: ['root'] }, 'invalid_request'],
    [{ ...wish, subject: 'key:agent' }, 'invalid_request'],
    [{ ...wish, subject: 'a\nb' }, 'invalid_request'],
    [{ ...wish, subject: '' }, 'invalid_request'],
    [{ ...wish, admin: true }, 'unknown_field'],
    [{ ...wish, kind: 'robot' }, 'invalid_request'],
  ] as const)('refuses %j', async ([body, code]) => {
    expect((await server.ask('POST', '/v1/tokens', { body })).json.code).toBe(code)
  })
})

describe('[P-9.7] tickets', () => {
  test('a ticket proves once what its credentials prove', async () => {
    const credential = await server.token({ subject: 'anna' })
    const { status, json } = await server.ask('POST', '/v1/tickets', { credential })
    expect(status).toBe(201)
    expect(json.expiresAt).toBeGreaterThan(Date.now())
    expect(json.expiresAt).toBeLessThanOrEqual(Date.now() + 60_000)
    expect(await server.tickets.redeem(json.ticket, null)).toMatchObject({ subject: 'anna' })
    await expect(server.tickets.redeem(json.ticket, null)).rejects.toMatchObject({
      code: 'invalid_token',
    })
  })

  test('it is bound to the origin that is named, else to that of the browser that asked', async () => {
    const named = await server.ask('POST', '/v1/tickets', { body: { origin: ORIGIN } })
    await expect(
      server.tickets.redeem(named.json.ticket, 'https://evil.example'),
    ).rejects.toMatchObject({
      code: 'invalid_token',
    })
    const asked = await server.ask('POST', '/v1/tickets', { headers: { origin: ORIGIN } })
    expect(await server.tickets.redeem(asked.json.ticket, ORIGIN)).toMatchObject({
      subject: 'key:agent',
    })
  })

  test('it needs credentials', async () => {
    expect((await server.ask('POST', '/v1/tickets', { credential: null })).status).toBe(401)
  })
})
