import { Webhook } from 'standardwebhooks'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { warmUp, type ServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'
import { Stage } from './stage.ts'

beforeAll(warmUp)

/** Long enough that a server is surely killed between two tries, and short enough to wait for. */
const RETRY_MS = 1500

interface Listed {
  readonly type: string
  readonly status: string
  readonly attempts: number
  readonly reason?: string
}

describe('[P-17.1] [P-17.3] a receiver is down for three tries of an input, and the server is killed between them', () => {
  test('on SQLite: told once the receiver returns, signed; the input waits on', async () => {
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

test('[P-17.2] the node of the last person dies for good: another tells that nobody is left, once its window is over', async () => {
  const stage = new Stage()
  const receiver = await WebhookReceiver.start()
  onTestFinished(() => receiver.down())
  const redis = await stage.redis()
  const env = {
    ...webhookEnv(receiver),
    REDIS_URL: redis.url,
    HEARTBEAT_MS: '500',
    PRESENCE_GRACE_MS: '1000',
    PRESENCE_WINDOW_MS: '3000',
    PRESENCE_TTL_MS: '3000',
  }
  const dying = await stage.node(env)
  await stage.node(env)
  await stage.open()
  stage.client('ada', { urls: [dying.url], presence: { member: 'ada', kind: 'human' } })
  await until('somebody is there', () => receiver.heard.length === 1)
  await dying.kill('SIGKILL')
  stage.nodes.splice(0, 1)
  await until('nobody is left', () => receiver.heard.length === 2)
  const told = receiver.heard.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
  expect(told).toMatchObject([
    { type: 'presence.attached', session: stage.session, member: 'ada', kind: 'human' },
    { type: 'presence.empty', session: stage.session, member: 'ada', kind: 'human' },
  ])
  expect(Number(told[1]?.['serial'])).toBeGreaterThan(Number(told[0]?.['serial']))
  const { events } = await stage.ask('GET', '/events?after=0&limit=1000')
  const types = (events as { type: string }[]).map(({ type }) => type)
  expect(types.filter((type) => type === 'member.left')).toHaveLength(1)
}, 90_000)

function webhookEnv(receiver: WebhookReceiver): Readonly<Record<string, string>> {
  return {
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_EVENTS: 'input.received,presence.attached,presence.empty',
    INPUT_WEBHOOK_AFTER_MS: '1',
    DELIVERY_RETRY_MS: Array(20).fill(RETRY_MS).join(),
  }
}

async function play(
  stage: Stage,
  start: (env: Readonly<Record<string, string>>) => Promise<readonly ServerProcess[]>,
): Promise<void> {
  const receiver = await WebhookReceiver.start(500)
  onTestFinished(() => receiver.down())
  const [node] = await start(webhookEnv(receiver))
  await stage.open()
  await stage.ask('POST', '/inputs', { input: 'i1', mode: 'queue', data: { say: 'hello' } })
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
  await until('it is told', async () => (await notices(stage))[0]?.status === 'told')

  const ids = new Set(receiver.heard.map(({ headers }) => headers['webhook-id']))
  expect(ids.size).toBe(1)
  const last = receiver.heard.at(-1)
  const verified = new Webhook(WEBHOOK_SECRET).verify(
    last?.body ?? '',
    last?.headers as Record<string, string>,
  )
  expect(verified).toMatchObject({
    type: 'input.received',
    session: stage.session,
    input: 'i1',
    mode: 'queue',
    data: { say: 'hello' },
    notice: [...ids][0],
  })
  expect((await stage.ask('GET', '/inputs'))['inputs']).toMatchObject([{ id: 'i1' }])
}

async function notices(stage: Stage): Promise<readonly Listed[]> {
  return (await stage.ask('GET', '/notices'))['notices'] as Listed[]
}

/** Tries that have come to nothing: the one under way is counted already, but has no reason yet. */
async function attempts(stage: Stage): Promise<number> {
  const [one] = await notices(stage)
  return one?.reason === undefined ? 0 : one.attempts
}
