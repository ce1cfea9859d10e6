import { Webhook } from 'standardwebhooks'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { API_KEY, warmUp, type ServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'
import { Stage } from './stage.ts'

beforeAll(warmUp)

/** Long enough that a server is surely killed between two tries, and short enough to wait for. */
const RETRY_MS = 1500

describe('[R17] [S0-23] [S0-24] a receiver is down for three tries, and the server is killed between them', () => {
  test('on SQLite: delivered once the receiver returns, acknowledged once, signed', async () => {
    const stage = new Stage()
    await play(stage, async (env) => [await stage.node(env)])
  }, 120_000)

  test('two nodes on Redis, of which one stays: the same', async () => {
    const stage = new Stage()
    const redis = await stage.redis()
    await play(stage, (env) => {
      const shared = { ...env, REDIS_URL: redis.url }
      return Promise.all([stage.node(shared), stage.node(shared)])
    })
  }, 120_000)
})

async function play(
  stage: Stage,
  start: (env: Readonly<Record<string, string>>) => Promise<readonly ServerProcess[]>,
): Promise<void> {
  const receiver = await WebhookReceiver.start(500)
  onTestFinished(() => receiver.down())
  const [node] = await start({
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    DELIVERY_AFTER_MS: '1',
    DELIVERY_RETRY_MS: Array(20).fill(RETRY_MS).join(),
  })
  await stage.open()
  await finish(stage)
  for (const tries of [1, 2]) {
    await until(`try ${tries} has failed`, async () => (await attempts(stage)) >= tries)
    await node?.kill('SIGKILL')
    // The second time it is not even there.
    if (tries === 2) await receiver.down()
    await node?.restart()
  }
  await until('a third try has failed', async () => (await attempts(stage)) >= 3)
  await node?.kill('SIGKILL')
  receiver.replies = 200
  await receiver.up()
  await node?.restart()
  await until('it is acknowledged', async () => (await told(stage)).includes('acked webhook'))

  expect(await told(stage)).toEqual(['pending', 'acked webhook'])
  const ids = new Set(receiver.heard.map(({ headers }) => headers['webhook-id']))
  expect(ids.size).toBe(1)
  const last = receiver.heard.at(-1)
  const verified = new Webhook(WEBHOOK_SECRET).verify(
    last?.body ?? '',
    last?.headers as Record<string, string>,
  )
  expect(verified).toMatchObject({ type: 'run.finished', run: 'r1', to: 'ada', output: 'done' })
  const { deliveries } = await stage.ask('GET', '/deliveries')
  expect(deliveries).toEqual([])
}

async function finish(stage: Stage): Promise<void> {
  const { epoch } = await stage.ask('POST', '/runs', { run: 'r1', deliverTo: ['ada'] })
  const response = await fetch(`${stage.urls[0]}/v1/sessions/${stage.session}/runs/r1/finish`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${API_KEY}`,
      'content-type': 'application/json',
      'run-epoch': String(epoch),
    },
    body: JSON.stringify({ output: 'done' }),
  })
  expect([response.status, await response.json()]).toMatchObject([200, {}])
}

/** Tries that have come to nothing: the one under way is counted already, but has no reason yet. */
async function attempts(stage: Stage): Promise<number> {
  const { deliveries } = await stage.ask('GET', '/deliveries')
  const [one] = deliveries as { readonly attempts: number; readonly reason?: string }[]
  return one?.reason === undefined ? 0 : one.attempts
}

/** What the log says of deliveries. */
async function told(stage: Stage): Promise<string[]> {
  const { events } = await stage.ask('GET', '/events?after=0&limit=1000')
  return (events as { type: string; data: { via?: string } }[])
    .filter(({ type }) => type.startsWith('delivery.'))
    .map(({ type, data }) => `${type.slice('delivery.'.length)} ${data.via ?? ''}`.trim())
}
