import { once } from 'node:events'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { createClient } from '../../src/client/create-client.ts'
import type { LocalServer } from '../support/local-server.ts'
import { useTwoNodes } from '../support/two-nodes.ts'
import { until } from '../support/until.ts'

/** Two nodes on one Redis: what is said to one is so on the other. */
describe('[P-6.8] a token that was taken back on another node (I18)', () => {
  const nodes = useTwoNodes()
  beforeAll(async () => {
    await ask(nodes.here, 'PUT', '/v1/sessions/s1')
  })

  interface Minted {
    readonly token: string
    readonly jti: string
  }
  let people = 0

  async function ask(
    server: LocalServer,
    method: string,
    path: string,
    body?: unknown,
    credential = server.key,
    signal?: AbortSignal,
  ): Promise<Response> {
    return fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${credential}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
  }

  async function mint(subject = `person-${++people}`): Promise<Minted & { subject: string }> {
    const capabilities = ['subscribe', 'history', 'send', 'publish', 'presence', 'tokens']
    const wish = { subject, sessions: ['s1'], capabilities, ttlMs: 600_000 }
    const response = await ask(nodes.here, 'POST', '/v1/tokens', wish)
    return { ...((await response.json()) as Minted), subject }
  }

  async function revoke(what: object): Promise<Record<string, unknown>> {
    const response = await ask(nodes.here, 'POST', '/v1/tokens/revoke', what)
    expect(response.status).toBe(200)
    return (await response.json()) as Record<string, unknown>
  }

  /** What a request with the token is answered. */
  async function codeOf(token: string, path = '/v1/sessions/s1/messages'): Promise<unknown> {
    const response = await ask(nodes.there, 'GET', path, undefined, token)
    const { code } = (await response.json()) as { code?: string }
    return response.status === 200 ? 'ok' : `${response.status} ${code}`
  }

  interface Open {
    readonly socket: WebSocket
    readonly frames: { readonly type?: string; readonly code?: string; readonly ref?: string }[]
    /** The code that it was closed with. */
    readonly closed: Promise<number>
  }

  async function open(path: string, protocols: string[]): Promise<Open> {
    const socket = new WebSocket(nodes.there.url.replace('http', 'ws') + path, protocols)
    onTestFinished(() => socket.terminate())
    const frames: Open['frames'] = []
    socket.on('message', (data: Buffer) => {
      frames.push(JSON.parse(data.toString()) as Open['frames'][number])
    })
    const closed = once(socket, 'close').then(([code]) => Number(code))
    await once(socket, 'open')
    return { socket, frames, closed }
  }

  const shown = (token: string): string =>
    `heldline.auth.${Buffer.from(token).toString('base64url')}`

  async function attach(token: string): Promise<Open> {
    const opened = await open('/v1/connect', ['heldline.v1', shown(token)])
    opened.socket.send(JSON.stringify({ op: 'attach', ref: 'a', session: 's1' }))
    await until('it is attached', () => opened.frames.some(({ type }) => type === 'attached'))
    return opened
  }

  test('by its id: requests and sockets that carry it are refused, and those of its subject’s other token are not', async () => {
    const bad = await mint()
    const good = await mint(bad.subject)
    const [leaked, other] = [await attach(bad.token), await attach(good.token)]
    expect(await codeOf(bad.token)).toBe('ok')
    expect(await revoke({ jti: bad.jti })).toEqual({ jti: bad.jti, keptUntil: expect.any(Number) })
    expect(await leaked.closed).toBe(4401)
    expect(await codeOf(bad.token)).toBe('401 invalid_token')
    const again = new WebSocket(`${nodes.there.url.replace('http', 'ws')}/v1/connect`, [
      'heldline.v1',
      shown(bad.token),
    ])
    again.on('error', () => undefined)
    const [, refusal] = (await once(again, 'unexpected-response')) as [
      unknown,
      { statusCode: number },
    ]
    expect(refusal.statusCode).toBe(401)
    again.terminate()
    expect(await codeOf(good.token)).toBe('ok')
    other.socket.send(JSON.stringify({ op: 'ping', ref: 'p' }))
    await until('the other lives', () => other.frames.some(({ type }) => type === 'pong'))
    // In band it is refused like anywhere else, and the socket goes on with what it has.
    other.socket.send(JSON.stringify({ op: 'auth', ref: 'r', token: bad.token }))
    await until('it is refused', () =>
      other.frames.some(({ ref, code }) => ref === 'r' && code === 'invalid_token'),
    )
    expect(other.socket.readyState).toBe(WebSocket.OPEN)
  })

  test('with its subject: all that were issued so far, also what was made of them; what is issued a second later is good', async () => {
    const { token, subject } = await mint()
    const wish = { subject, sessions: ['s1'], capabilities: ['history'], ttlMs: 60_000 }
    const made = await ask(nodes.there, 'POST', '/v1/tokens', wish, token)
    const child = ((await made.json()) as Minted).token
    const ticket = await ask(nodes.there, 'POST', '/v1/tickets', {}, token)
    const { ticket: code } = (await ticket.json()) as { ticket: string }
    const socket = await attach(token)
    const { issuedUntil } = await revoke({ subject })
    expect(await socket.closed).toBe(4401)
    expect([await codeOf(token), await codeOf(child)]).toEqual(
      Array.from({ length: 2 }, () => '401 invalid_token'),
    )
    const late = new WebSocket(
      `${nodes.there.url.replace('http', 'ws')}/v1/connect?ticket=${code}`,
      ['heldline.v1'],
    )
    late.on('error', () => undefined)
    const [, refusal] = (await once(late, 'unexpected-response')) as [
      unknown,
      { statusCode: number },
    ]
    expect(refusal.statusCode).toBe(401)
    late.terminate()
    await until('the second is over', () => Date.now() > Number(issuedUntil) + 1000)
    expect(await codeOf((await mint(subject)).token)).toBe('ok')
  })

  test('ends what is open: server-sent events, a stream of lines, a wait, a socket of the AI SDK', async () => {
    const { token, jti } = await mint()
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const headers = { authorization: `Bearer ${token}` }
    const events = await fetch(`${nodes.there.url}/v1/sessions/s1/events`, {
      headers: { ...headers, accept: 'text/event-stream' },
      signal: stop.signal,
    })
    const lines = new TransformStream<Uint8Array, Uint8Array>()
    const writer = lines.writable.getWriter()
    writer.closed.catch(() => undefined)
    const appending = fetch(`${nodes.there.url}/v1/sessions/s1/events`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-ndjson' },
      body: lines.readable,
      duplex: 'half',
      signal: stop.signal,
    } as RequestInit)
    await writer.write(Buffer.from('{"type":"x.a"}\n'))
    const appended = await appending
    const waiting = fetch(`${nodes.there.url}/v1/sessions/s1/presence?wait=30&until=attached`, {
      headers,
    })
    const guest = await open('/compat/ai-sdk/ws', ['heldline.ai-sdk.v1', shown(token)])
    await revoke({ jti })
    expect(await guest.closed).toBe(4401)
    expect(await events.text()).toContain('"code":"invalid_token"')
    const last = (await appended.text()).trim().split('\n').at(-1) ?? ''
    expect(JSON.parse(last)).toMatchObject({ error: { code: 'invalid_token', lines: 1 } })
    expect((await waiting).status).toBe(200)
  })

  test('is asked for anew by a client that can, which goes on without a gap; one that cannot stops', async () => {
    const name = `person-${++people}`
    const tokens: Minted[] = []
    const fresh = async (): Promise<string> => {
      const minted = await mint(name)
      tokens.push(minted)
      return minted.token
    }
    const same = await mint()
    const renewing = createClient({ url: nodes.there.url, token: fresh, transport: 'websocket' })
    const fixed = createClient({ url: nodes.there.url, token: same.token, transport: 'websocket' })
    onTestFinished(() => {
      renewing.close()
      fixed.close()
    })
    const serials: number[] = []
    renewing.session('s1').on('event', ({ serial }) => serials.push(serial))
    fixed.session('s1').on('event', () => undefined)
    await until('both are live', () => renewing.state === 'live' && fixed.state === 'live')
    const [first] = tokens
    await revoke({ jti: first?.jti })
    await revoke({ jti: same.jti })
    await until('a second token was asked for', () => tokens.length === 2)
    await until('it is live again', () => renewing.state === 'live')
    await ask(nodes.here, 'POST', '/v1/sessions/s1/events', [{ type: 'x.b' }, { type: 'x.c' }])
    await until('both events have come', () => serials.length >= 2)
    expect(new Set(serials).size).toBe(serials.length)
    await until('the other has stopped', () => fixed.state === 'unauthorized')
  })

  test('is taken back by an API key alone, and by one name', async () => {
    const { token, jti } = await mint()
    const refused = async (body: unknown, credential: string): Promise<unknown> => {
      const response = await ask(nodes.here, 'POST', '/v1/tokens/revoke', body, credential)
      return ((await response.json()) as { code: string }).code
    }
    expect(await refused({ jti }, token)).toBe('forbidden')
    expect(await refused({}, nodes.here.key)).toBe('invalid_request')
    expect(await refused({ jti, subject: 'ada' }, nodes.here.key)).toBe('invalid_request')
    expect(await refused({ subject: 'key:test' }, nodes.here.key)).toBe('invalid_request')
    expect(await refused({ token }, nodes.here.key)).toBe('unknown_field')
    expect(await codeOf(token)).toBe('ok')
  })
})
