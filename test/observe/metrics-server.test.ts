import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { createClient } from '../../src/client/create-client.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'
import { scrape, type Scraped } from '../support/metrics.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'

async function start(env: Readonly<Record<string, string>> = {}) {
  const server = await startLocalServer({ METRICS_PORT: '0', ...env })
  onTestFinished(() => server.close())
  const ask = async (method: string, path: string, body?: unknown, headers = {}) => {
    const response = await fetch(`${server.url}/v1/sessions/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${server.key}`,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : null }
  }
  return { server, ask, metrics: () => scrape(server.metricsUrl) }
}

/** A socket of the protocol that does only what it is told. */
async function openSocket(server: LocalServer) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/connect`, 'heldline.v1', {
    headers: { authorization: `Bearer ${server.key}` },
  })
  onTestFinished(() => socket.terminate())
  const heard: Record<string, unknown>[] = []
  socket.on('message', (data) =>
    heard.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>),
  )
  const hear = async (type: string): Promise<Record<string, unknown>> => {
    const found = () => heard.findLast((frame) => frame['type'] === type)
    await until(`${type} is heard`, () => found() !== undefined, { instead: () => heard })
    return found() ?? {}
  }
  await hear('welcome')
  const send = (frame: object): void => socket.send(JSON.stringify(frame))
  return { socket, heard, hear, send }
}

const delta = (n: number) => ({ type: 'x.note', data: { n } })

test('[S3-02] a cut and a return are one reconnect, a resume of each session, and the bytes that were missed', async () => {
  const { server, ask, metrics } = await start()
  for (const id of ['one', 'two']) await ask('PUT', id, {})
  const proxy = await startProxy(Number(new URL(server.url).port))
  onTestFinished(() => proxy.close())
  const client = createClient({ url: `http://127.0.0.1:${proxy.port}`, token: server.key })
  onTestFinished(() => client.close())
  const [one, two] = [client.session('one'), client.session('two')]
  for (const session of [one, two]) session.attach()
  await until('both are live', () => one.state === 'live' && two.state === 'live')
  await ask('POST', 'one/events', delta(0))
  await until('it is there', () => one.view.position.serial === 2)

  const before = await metrics()
  expect(before.of('heldline_connections', { transport: 'websocket' })).toBe(1)
  expect(before.of('heldline_sessions_followed')).toBe(2)
  expect(before.of('heldline_reconnects_total')).toBe(0)
  expect(before.of('heldline_resumes_total')).toBe(0)
  expect(before.of('heldline_gap_bytes_recovered_total')).toBe(0)
  expect(before.of('heldline_fanout_events_total')).toBe(1)

  proxy.mode = 'refuse'
  proxy.cut()
  await until('the server knows', async () => (await metrics()).of('heldline_connections') === 0)
  const missed = Array.from({ length: 20 }, (_, n) => delta(n + 1))
  expect((await ask('POST', 'one/events', missed)).status).toBe(200)
  proxy.mode = 'pass'
  await until('it has caught up', () => one.view.position.serial === 22 && two.state === 'live')

  const after = await metrics()
  const closed = 'heldline_connections_closed_total'
  expect(after.of(closed, { transport: 'websocket', reason: 'broken' })).toBe(1)
  expect(after.of(closed)).toBe(1)
  expect(after.of('heldline_connections_opened_total')).toBe(2)
  expect(after.of('heldline_reconnects_total', { transport: 'websocket' })).toBe(1)
  expect(after.of('heldline_resumes_total', { result: 'events' })).toBe(1)
  expect(after.of('heldline_resumes_total', { result: 'current' })).toBe(1)
  expect(after.of('heldline_resumes_total')).toBe(2)
  expect(after.of('heldline_gap_events_recovered_total')).toBe(20)
  const { text } = await ask('GET', 'one/events?after=2&limit=20')
  const { events } = JSON.parse(text) as { events: object[] }
  const bytes = events.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0)
  expect(after.of('heldline_gap_bytes_recovered_total')).toBe(bytes)
  expect(after.of('heldline_resume_duration_seconds_count')).toBe(2)
  expect(after.of('heldline_resets_total')).toBe(0)
})

test('[S3-02] a position that cannot be given is a reset by its reason, and no gap that was made good', async () => {
  const { server, ask, metrics } = await start()
  await ask('PUT', 's', {})
  const { send, hear } = await openSocket(server)
  send({ op: 'attach', ref: 'a', session: 's', position: 'zzzzzzzzzz.7.abcdefgh' })
  expect(await hear('reset')).toMatchObject({ reason: 'epoch' })
  const after = await metrics()
  expect(after.of('heldline_resets_total', { reason: 'epoch' })).toBe(1)
  expect(after.of('heldline_resets_total')).toBe(1)
  expect(after.of('heldline_resumes_total', { result: 'reset' })).toBe(1)
  expect(after.of('heldline_gap_bytes_recovered_total')).toBe(0)
})

test('[S3-02] a stream that goes on from a position is a reconnect, and says when it is gone', async () => {
  const { server, ask, metrics } = await start()
  await ask('PUT', 's', {})
  const { json } = await ask('POST', 's/events', [delta(1), delta(2), delta(3)])
  const stop = new AbortController()
  const stream = await fetch(`${server.url}/v1/sessions/s/events?after=${json.first}`, {
    headers: { authorization: `Bearer ${server.key}`, accept: 'text/event-stream' },
    signal: stop.signal,
  })
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ''
  while (!heard.includes('"n":3')) heard += (await reader?.read())?.value ?? ''
  const during = await metrics()
  expect(during.of('heldline_connections', { transport: 'sse' })).toBe(1)
  expect(during.of('heldline_reconnects_total', { transport: 'sse' })).toBe(1)
  expect(during.of('heldline_resumes_total', { result: 'events' })).toBe(1)
  expect(during.of('heldline_gap_events_recovered_total')).toBe(2)
  // What the browser is told first (when to come back) is no frame.
  const framed = Buffer.byteLength(heard.slice(heard.indexOf('\n\n') + 2))
  expect(during.of('heldline_sent_bytes_total', { transport: 'sse' })).toBeGreaterThanOrEqual(
    framed,
  )
  stop.abort()
  await until('it is gone', async () => (await metrics()).of('heldline_connections') === 0)
  const closed = 'heldline_connections_closed_total'
  expect((await metrics()).of(closed, { transport: 'sse', reason: 'gone' })).toBe(1)
})

test('[S3-08] a stalled and lost run, a final answer that reaches nobody and disconnects for each run are numbers', async () => {
  const receiver = await WebhookReceiver.start(500)
  onTestFinished(() => receiver.down())
  const { server, ask, metrics } = await start({
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    DELIVERY_AFTER_MS: '1',
    DELIVERY_RETRY_MS: '1',
  })
  await ask('PUT', 's', {})
  // Nothing more is heard of it.
  await ask('POST', 's/runs', { run: 'abandoned', leaseMs: 5000 })
  const { json } = await ask('POST', 's/runs', { run: 'done', deliverTo: ['ada'] })
  const held = { 'run-epoch': String(json.epoch) }
  const { socket } = await openSocket(server)
  socket.terminate()
  await ask('POST', 's/runs/done/finish', { output: 'the answer' }, held)
  await until('it is undelivered', async () => {
    return (await metrics()).of('heldline_deliveries_total', { state: 'failed' }) === 1
  })
  await until('one is lost', async () => {
    return (await metrics()).of('heldline_runs_ended_total', { outcome: 'lost' }) === 1
  })
  const after = await metrics()
  expect(after.of('heldline_runs_started_total')).toBe(2)
  expect(after.of('heldline_runs_ended_total', { outcome: 'finished' })).toBe(1)
  expect(after.of('heldline_runs_ended_total')).toBe(2)
  expect(after.of('heldline_runs_stalled_total')).toBe(1)
  expect(after.of('heldline_deliveries_total', { state: 'pending' })).toBe(1)
  expect(after.of('heldline_webhook_tries_total', { outcome: 'failed' })).toBe(2)
  expect(after.of('heldline_webhook_duration_seconds_count')).toBe(2)
  expect(after.of('heldline_events_total', { type: 'run.lost' })).toBe(1)
  const broken = after.of('heldline_connections_closed_total', { reason: 'broken' })
  expect(broken / after.of('heldline_runs_started_total')).toBe(0.5)
  // Repaired and replayed, it arrives; another is read by its person.
  receiver.replies = 200
  const { json: listed } = await ask('GET', 's/deliveries')
  await ask('POST', `s/deliveries/${listed.deliveries[0].delivery}/replay`)
  await until('it is taken', async () => {
    return (await metrics()).of('heldline_deliveries_total', { state: 'webhook' }) === 1
  })
  expect((await metrics()).of('heldline_webhook_tries_total', { outcome: 'taken' })).toBe(1)
})

test('[S3-08] appends are counted by the way that they came, with their events, bytes and time, and what came of them', async () => {
  const { server, ask, metrics } = await start()
  await ask('PUT', 's', {})
  const key = { 'idempotency-key': 'once' }
  await ask('POST', 's/events', [delta(1), delta(2)], key)
  await ask('POST', 's/events', [delta(1), delta(2)], key)
  await ask('POST', 's/events', { type: 'message.delta', data: { message: 'none', text: 'x' } })
  const lines = `${JSON.stringify(delta(3))}\n`
  await ask('POST', 's/events', lines, { 'content-type': 'application/x-ndjson' })
  const { send, hear } = await openSocket(server)
  send({ op: 'publish', ref: 'p', session: 's', events: [delta(4)] })
  await hear('ack')
  const after = await metrics()
  const appends = (way: string, result: string) =>
    after.of('heldline_appends_total', { way, result })
  expect(appends('http', 'ok')).toBe(1)
  expect(appends('http', 'duplicate')).toBe(1)
  expect(appends('http', 'refused')).toBe(1)
  expect(appends('stream', 'ok')).toBe(1)
  expect(appends('websocket', 'ok')).toBe(1)
  expect(after.of('heldline_appends_total')).toBe(5)
  expect(after.of('heldline_appended_events_total', { way: 'http' })).toBe(4)
  expect(after.of('heldline_appended_bytes_total', { way: 'stream' })).toBe('{"n":3}'.length)
  expect(after.of('heldline_append_duration_seconds_count', { way: 'websocket' })).toBe(1)
  expect(after.of('heldline_events_total', { type: 'x' })).toBe(4)
  expect(after.of('heldline_commits_total', { outcome: 'duplicate' })).toBe(1)
  expect(after.of('heldline_refusals_total', { face: 'http', code: 'message_not_found' })).toBe(1)
  const route = 'POST /v1/sessions/{session}/events'
  expect(after.of('heldline_http_requests_total', { route, status: '2xx' })).toBe(3)
  expect(after.of('heldline_http_requests_total', { route, status: '4xx' })).toBe(1)
})

test('[S3-08] who sends too fast, and who does not answer a ping, is counted', async () => {
  const { server, metrics } = await start({
    FRAMES_PER_SECOND: '1',
    FRAMES_BURST: '1',
    HEARTBEAT_MS: '500',
    PRESENCE_TTL_MS: '1000',
  })
  const { socket, send, hear } = await openSocket(server)
  for (const ref of ['a', 'b', 'c']) send({ op: 'ping', ref })
  expect(await hear('error')).toMatchObject({ code: 'rate_limited' })
  const limited = { face: 'websocket', code: 'rate_limited' }
  await until('they are counted', async () => {
    return (await metrics()).of('heldline_refusals_total', limited) === 2
  })
  // It reads no more, and so answers no more.
  socket.pause()
  await until('it is given up', async () => (await metrics()).of('heldline_connections') === 0)
  const after = await metrics()
  expect(after.of('heldline_ping_timeouts_total')).toBe(1)
  expect(after.of('heldline_connections_closed_total', { reason: 'timeout' })).toBe(1)
})

test('[S3-08] a reader that takes too little has its outbox full, is spared signals, and is counted for both', async () => {
  const { server, ask, metrics } = await start()
  await ask('PUT', 's', {})
  const slow = await openSocket(server)
  slow.send({ op: 'attach', ref: 'a', session: 's' })
  await slow.hear('snapshot')
  slow.socket.pause()
  const other = await openSocket(server)
  other.send({ op: 'attach', ref: 'a', session: 's' })
  await other.hear('snapshot')
  const big = Array.from({ length: 15 }, () => ({ type: 'x.big', data: 'x'.repeat(60_000) }))
  const dropped = async () => (await metrics()).of('heldline_signals_dropped_total')
  // The kernel takes as much as it likes before anything waits here.
  await until('a signal is dropped', async () => {
    await ask('POST', 's/events', big)
    other.send({ op: 'signal', session: 's', name: 'typing', data: true })
    return (await dropped()) > 0
  })
  expect((await metrics()).of('heldline_outbox_full_total')).toBeGreaterThan(0)
})

/** A word that stands in everything that callers choose; nothing that is shown may hold it. */
const CANARY = 'canary'

test('no session, subject, run, key, token, payload or path is in what is shown, whatever callers send', async () => {
  const metricsKey = `${CANARY}-metrics-0123456789abcdef0123456789`
  const apiKey = `${CANARY}-key:0123456789abcdef0123456789${CANARY}`
  const server = await startLocalServer({
    METRICS_PORT: '0',
    METRICS_KEY: metricsKey,
    API_KEYS: apiKey,
  })
  onTestFinished(() => server.close())
  const ask = (method: string, path: string, body?: unknown, key = apiKey) =>
    fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).then((response) => response.text())
  const session = `/v1/sessions/${CANARY}`
  await ask('PUT', session, { metadata: { [CANARY]: CANARY } })
  await ask('POST', `${session}/events`, { type: `x.${CANARY}`, data: CANARY })
  await ask('POST', `${session}/events`, { type: CANARY, data: CANARY })
  await ask('POST', `${session}/runs`, { run: CANARY, agent: CANARY, deliverTo: [CANARY] })
  await ask('GET', `/${CANARY}?${CANARY}`)
  await ask(CANARY.toUpperCase(), session)
  await ask('GET', session, undefined, `${CANARY}-token`)
  await ask('PUT', `${session}/presence/${CANARY}`, { kind: 'human', ttlMs: 60_000 })
  const made = await ask('POST', '/v1/tokens', {
    subject: CANARY,
    sessions: [CANARY],
    capabilities: ['subscribe', 'send', 'signal'],
    ttlMs: 60_000,
  })
  const { token } = JSON.parse(made) as { token: string }
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/connect`, 'heldline.v1', {
    headers: { authorization: `Bearer ${token}` },
  })
  onTestFinished(() => socket.terminate())
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ op: CANARY, ref: CANARY }))
  socket.send(JSON.stringify({ op: 'attach', ref: CANARY, session: CANARY }))
  await new Promise((resolve) => socket.once('message', resolve))
  socket.close(4999, CANARY)
  await until('it is gone', async () => {
    return (await scrape(server.metricsUrl, metricsKey)).of('heldline_connections') === 0
  })
  const { text, of } = await scrape(server.metricsUrl, metricsKey)
  expect(of('heldline_http_requests_total')).toBeGreaterThan(5)
  expect(of('heldline_connections_closed_total', { reason: 'other' })).toBe(1)
  expect(text.toLowerCase()).not.toContain(CANARY)
  expect(text).not.toContain(token)
})

test('metrics are shown to who has their key alone, at their own port alone', async () => {
  const metricsKey = 'Qm3Wn8Rb5Vt1Yc7Ux2Zl9Kp4Jh6Gf0Sd'
  const server = await startLocalServer({ METRICS_PORT: '0', METRICS_KEY: metricsKey })
  onTestFinished(() => server.close())
  const at = async (authorization: string | null, method = 'GET', path = '') => {
    const headers: Record<string, string> = authorization === null ? {} : { authorization }
    const response = await fetch(`${server.metricsUrl}${path}`, { method, headers })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const wrong = [null, '', 'Bearer', 'Bearer ', metricsKey, `Basic ${metricsKey}`]
  const near = [`Bearer ${metricsKey}x`, `Bearer ${metricsKey.slice(1)}`, `Bearer ${server.key}`]
  for (const shown of [...wrong, ...near]) {
    const { status, headers, text } = await at(shown)
    expect([shown, status]).toEqual([shown, 401])
    expect(headers.get('www-authenticate')).toContain('Bearer')
    expect(text).not.toContain('heldline_')
  }
  const good = await at(`Bearer ${metricsKey}`)
  expect(good.status).toBe(200)
  expect(good.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(good.headers.get('cache-control')).toBe('no-store')
  expect((await at(`Bearer ${metricsKey}`, 'HEAD')).text).toBe('')
  expect((await at(`Bearer ${metricsKey}`, 'POST')).status).toBe(405)
  expect((await at(`Bearer ${metricsKey}`, 'GET', '/more')).status).toBe(404)
  const headers = { authorization: `Bearer ${server.key}` }
  expect((await fetch(`${server.url}/metrics`, { headers })).status).toBe(404)
})

test('they are off unless a port is named, and a port that is taken is said', async () => {
  const plain = await startLocalServer()
  onTestFinished(() => plain.close())
  expect(plain.metricsUrl).toBeNull()
  const port = new URL(plain.url).port
  await expect(startLocalServer({ METRICS_PORT: port, DATA_DIR: ':memory:' })).rejects.toThrow(
    `unable to show metrics at 127.0.0.1:${port}; EADDRINUSE`,
  )
})

test('what is shown does not grow with sessions, subjects, types and paths', async () => {
  const { ask, metrics } = await start()
  const load = async (from: number): Promise<Scraped> => {
    for (let n = from; n < from + 25; n++) {
      await ask('PUT', `s${n}`, {})
      await ask('POST', `s${n}/events`, { type: `x.t${n}`, data: n })
      await ask('POST', `s${n}/events`, { type: `y${n}.t`, data: n })
      await ask('GET', `s${n}/nothing-${n}`)
    }
    return metrics()
  }
  const few = await load(0)
  const many = await load(25)
  expect(many.of('heldline_events_total', { type: 'x' })).toBe(50)
  const own = ({ text }: Scraped) => text.match(/^heldline_.*(?= \S+$)/gm)
  expect(own(many)).toEqual(own(few))
})
