import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'

const PATH = '/v1/sessions/s1'

/** A whole server with a webhook, and a session. */
async function start(env: Readonly<Record<string, string>> = {}) {
  const receiver = await WebhookReceiver.start()
  onTestFinished(() => receiver.down())
  const server = await startLocalServer({
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    DELIVERY_AFTER_MS: '1',
    ...env,
  })
  onTestFinished(() => server.close())
  await ask(server, 'PUT', PATH, {})
  return { receiver, server }
}

async function ask(
  server: LocalServer,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${server.key}`,
      'content-type': 'application/json',
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
  return (await response.json()) as Record<string, unknown>
}

async function finish(server: LocalServer): Promise<void> {
  const { epoch } = await ask(server, 'POST', `${PATH}/runs`, { run: 'r1', deliverTo: ['ada'] })
  const headers = { 'run-epoch': String(epoch) }
  await ask(server, 'POST', `${PATH}/runs/r1/finish`, { output: 'done' }, headers)
}

/** What the log says of the delivery. */
async function told(server: LocalServer): Promise<string[]> {
  const { events } = await ask(server, 'GET', `${PATH}/events?after=0`)
  return (events as { type: string; data: { via?: string } }[])
    .filter(({ type }) => type.startsWith('delivery.'))
    .map(({ type, data }) => `${type} ${data.via ?? ''}`.trim())
}

test('[R17] [S2-10] a result that nobody reads reaches the webhook, signed, by the settings alone', async () => {
  const { receiver, server } = await start()
  await finish(server)
  await until('it is acknowledged', async () => (await told(server)).length === 2)
  expect(await told(server)).toEqual(['delivery.pending', 'delivery.acked webhook'])
  const [heard] = receiver.heard
  const headers = heard?.headers as Record<string, string>
  expect(new Webhook(WEBHOOK_SECRET).verify(heard?.body ?? '', headers)).toMatchObject({
    type: 'run.finished',
    session: 's1',
    run: 'r1',
    to: 'ada',
    output: 'done',
    delivery: headers['webhook-id'],
  })
  expect(receiver.heard).toHaveLength(1)
})

test('[R17] [P-4.8] a person who reads over a socket has it, and no webhook is sent', async () => {
  const { receiver, server } = await start({ DELIVERY_AFTER_MS: '3600000' })
  const client = createClient({ url: server.url, token: () => tokenOf(server) })
  onTestFinished(() => client.close())
  const session = client.session('s1')
  session.attach()
  await finish(server)
  await until('it is seen', () => session.view.deliveries.size === 1)
  await session.read()
  expect(await told(server)).toEqual(['delivery.pending', 'delivery.acked read'])
  await until('the view says so', () => session.view.deliveries.size === 0)
  expect(receiver.heard).toEqual([])
})

test('[P-17.1] [P-17.2] an input that waits, and who is there, reach the webhook by the settings alone', async () => {
  const { receiver, server } = await start({
    WEBHOOK_EVENTS: 'input.received,presence.attached,presence.empty',
    INPUT_WEBHOOK_AFTER_MS: '1',
  })
  const heard = async (type: string): Promise<Record<string, unknown>> => {
    const found = () => receiver.heard.find(({ body }) => JSON.parse(body).type === type)
    await until(`${type} is heard`, () => found() !== undefined)
    const headers = found()?.headers as Record<string, string>
    const told = new Webhook(WEBHOOK_SECRET).verify(found()?.body ?? '', headers)
    expect(told).toMatchObject({ session: 's1', notice: headers['webhook-id'] })
    return told as Record<string, unknown>
  }
  await ask(server, 'POST', `${PATH}/inputs`, { input: 'i1', mode: 'queue' })
  expect(await heard('input.received')).toMatchObject({ input: 'i1', mode: 'queue' })
  await ask(server, 'PUT', `${PATH}/presence/ada`, { kind: 'human', ttlMs: 60_000 })
  expect(await heard('presence.attached')).toMatchObject({ member: 'ada', kind: 'human' })
  const headers = { authorization: `Bearer ${server.key}` }
  await fetch(`${server.url}${PATH}/presence/ada`, { method: 'DELETE', headers })
  expect(await heard('presence.empty')).toMatchObject({ member: 'ada' })
  // Results are not named: they wait until they are read.
  await finish(server)
  expect(await told(server)).toEqual(['delivery.pending'])
})

test('an address of a private network is refused unless it is allowed, and the list says so', async () => {
  const { receiver, server } = await start({
    WEBHOOK_ALLOW_PRIVATE: 'false',
    DELIVERY_RETRY_MS: '1',
  })
  await finish(server)
  await until('it has failed', async () => (await told(server)).includes('delivery.failed'))
  const { deliveries } = await ask(server, 'GET', `${PATH}/deliveries`)
  expect(deliveries).toMatchObject([{ status: 'failed', attempts: 2, reason: 'address_refused' }])
  expect(receiver.heard).toEqual([])
})

async function tokenOf(server: LocalServer): Promise<string> {
  const { token } = await ask(server, 'POST', '/v1/tokens', {
    subject: 'ada',
    sessions: ['s*'],
    capabilities: ['subscribe'],
    ttlMs: 600_000,
  })
  return String(token)
}
