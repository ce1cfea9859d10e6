import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { warmUp } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { WebhookReceiver } from '../support/webhook-receiver.ts'
import { onRedis, onSqlite, webhookEnv, type Told } from './down-receiver.ts'
import { Stage } from './stage.ts'

beforeAll(warmUp)

interface Listed {
  readonly type: string
  readonly status: string
  readonly attempts: number
  readonly reason?: string
}

const TELLS = {
  WEBHOOK_EVENTS: 'input.received,presence.attached,presence.empty',
  INPUT_WEBHOOK_AFTER_MS: '1',
}

const INPUT = { input: 'i1', mode: 'queue', data: { say: 'hello' } }

const A_WAITING_INPUT: Told = {
  env: TELLS,
  begin: (stage) => stage.ask('POST', '/inputs', INPUT),
  listed: notice,
  arrived: async (stage) => (await notice(stage))?.status === 'told',
  judge: async (stage, said, id) => {
    const { session } = stage
    expect(said).toMatchObject({ type: 'input.received', session, ...INPUT, notice: id })
    expect((await stage.ask('GET', '/inputs'))['inputs']).toMatchObject([{ id: 'i1' }])
  },
}

describe('[P-17.1] [P-17.3] a receiver is down for three tries of an input, and the server is killed between them', () => {
  test(
    'on SQLite: told once the receiver returns, signed; the input waits on',
    () => onSqlite(A_WAITING_INPUT),
    120_000,
  )

  test('two nodes on Redis, of which one stays: the same', () => onRedis(A_WAITING_INPUT), 120_000)
})

test('[P-17.2] the node of the last person dies for good: another tells that nobody is left, once its window is over', async () => {
  const stage = new Stage()
  const receiver = await WebhookReceiver.start()
  onTestFinished(() => receiver.down())
  const redis = await stage.redis()
  const env = {
    ...webhookEnv(receiver),
    ...TELLS,
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

async function notice(stage: Stage): Promise<Listed | undefined> {
  const { notices } = await stage.ask('GET', '/notices')
  return (notices as Listed[])[0]
}
