import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished } from 'vitest'
import type { ServerEnv, ServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'
import { Stage } from './stage.ts'

/** Long enough that a server is surely killed between two tries, and short enough to wait for. */
const RETRY_MS = 1500

/** Something that the receiver is told of. */
export interface Told {
  readonly env: ServerEnv
  /** Has it happen. */
  readonly begin: (stage: Stage) => Promise<unknown>
  /** How the server lists it, for as long as it does. */
  readonly listed: (stage: Stage) => Promise<Tried | undefined>
  /** Whether the server knows that it was taken. */
  readonly arrived: (stage: Stage) => Promise<boolean>
  /** @param said what the receiver was told, of a signature that holds @param id of every try */
  readonly judge: (stage: Stage, said: unknown, id: unknown) => Promise<void>
}

interface Tried {
  readonly attempts: number
  readonly reason?: string
}

export function webhookEnv(receiver: WebhookReceiver): ServerEnv {
  return {
    WEBHOOK_URL: receiver.url,
    WEBHOOK_SECRET,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    DELIVERY_RETRY_MS: Array(20).fill(RETRY_MS).join(),
  }
}

/** The receiver is down for three tries, and the one server there is is killed between them. */
export async function onSqlite(told: Told): Promise<void> {
  const stage = new Stage()
  await play(stage, told, async (env) => [await stage.node(env)])
}

/** The same with two servers, of which one is killed. */
export async function onRedis(told: Told): Promise<void> {
  const stage = new Stage()
  const redis = await stage.redis()
  await play(stage, told, (env) => {
    const shared = { ...env, REDIS_URL: redis.url }
    return Promise.all([stage.node(shared), stage.node(shared)])
  })
}

async function play(
  stage: Stage,
  told: Told,
  start: (env: ServerEnv) => Promise<readonly ServerProcess[]>,
): Promise<void> {
  const receiver = await WebhookReceiver.start(500)
  onTestFinished(() => receiver.down())
  const [node] = await start({ ...webhookEnv(receiver), ...told.env })
  await stage.open()
  await told.begin(stage)
  for (const tries of [1, 2]) {
    await until(`try ${tries} has failed`, async () => (await failed(stage, told)) >= tries)
    await node?.kill('SIGKILL')
    // The second time it is not even there.
    if (tries === 2) await receiver.down()
    await node?.restart()
  }
  await until('a third try has failed', async () => (await failed(stage, told)) >= 3)
  await node?.kill('SIGKILL')
  receiver.replies = 200
  await receiver.up()
  await node?.restart()
  await until('the server knows that it was taken', () => told.arrived(stage))

  const ids = new Set(receiver.heard.map(({ headers }) => headers['webhook-id']))
  expect(ids.size).toBe(1)
  const last = receiver.heard.at(-1)
  const said = new Webhook(WEBHOOK_SECRET).verify(
    last?.body ?? '',
    last?.headers as Record<string, string>,
  )
  await told.judge(stage, said, [...ids][0])
}

/** Tries that have come to nothing: the one under way is counted already, but has no reason yet. */
async function failed(stage: Stage, told: Told): Promise<number> {
  const one = await told.listed(stage)
  return one?.reason === undefined ? 0 : one.attempts
}
