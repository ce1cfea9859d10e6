import { beforeAll, describe, expect, test } from 'vitest'
import { API_KEY, warmUp } from '../support/server-process.ts'
import { onRedis, onSqlite, type Told } from './down-receiver.ts'
import type { Stage } from './stage.ts'

beforeAll(warmUp)

const A_RESULT: Told = {
  env: { DELIVERY_AFTER_MS: '1' },
  begin: finish,
  listed: async (stage) => {
    const { deliveries } = await stage.ask('GET', '/deliveries')
    return (deliveries as { readonly attempts: number; readonly reason?: string }[])[0]
  },
  arrived: async (stage) => (await told(stage)).includes('acked webhook'),
  judge: async (stage, said) => {
    expect(await told(stage)).toEqual(['pending', 'acked webhook'])
    expect(said).toMatchObject({ type: 'run.finished', run: 'r1', to: 'ada', output: 'done' })
    const { deliveries } = await stage.ask('GET', '/deliveries')
    expect(deliveries).toEqual([])
  },
}

describe('[R17] [S0-23] [S0-24] a receiver is down for three tries, and the server is killed between them', () => {
  test(
    'on SQLite: delivered once the receiver returns, acknowledged once, signed',
    () => onSqlite(A_RESULT),
    120_000,
  )

  test('two nodes on Redis, of which one stays: the same', () => onRedis(A_RESULT), 120_000)
})

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

/** What the log says of deliveries. */
async function told(stage: Stage): Promise<string[]> {
  const { events } = await stage.ask('GET', '/events?after=0&limit=1000')
  return (events as { type: string; data: { via?: string } }[])
    .filter(({ type }) => type.startsWith('delivery.'))
    .map(({ type, data }) => `${type.slice('delivery.'.length)} ${data.via ?? ''}`.trim())
}
