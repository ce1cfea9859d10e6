import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const EVENT_BYTES = 48 * 1024
/** Before the freeze, so that what the node takes for work alone is taken already. */
const WARM_UP = 800
/** 52 MiB, which would wait for each of the frozen, were it not for a bound. */
const BROADCAST = 1100
/** Well below the broadcast, and well above the noise of a process that is told not to take memory just because it is there. */
const ALLOWED_BYTES = 30 * 1024 * 1024
const FRUGAL = {
  NODE_OPTIONS: '--max-old-space-size=160 --max-semi-space-size=4',
  MALLOC_ARENA_MAX: '1',
}
const FROZEN = 4

test('clients that take nothing cost bounded memory, delay nobody, and come back to every event', async () => {
  const stage = new Stage()
  const node = await stage.node({
    HEARTBEAT_MS: '60000',
    PRESENCE_TTL_MS: '120000',
    ...FRUGAL,
  })
  const position = await stage.open()
  const everything = { position, catchup: 'events' } as const
  const healthy = [stage.client('ann', everything), stage.client('ben', everything)]
  const frozen = Array.from({ length: FROZEN }, (_, i) => stage.client(`frozen${i}`, everything))
  const writer = stage.agent('writer', { padding: EVENT_BYTES, paceMs: 0 })
  for (let i = 0; i < WARM_UP; i++) await writer.publish()
  await stage.quiet()
  for (const client of frozen) client.freeze()
  const before = await node.residentBytes()
  let most = 0
  for (let i = 0; i < BROADCAST; i++) {
    const [serial] = await writer.publish()
    if (i % 64 !== 0) continue
    // The others have each event while the frozen ones have none.
    for (const client of healthy) await client.untilSerial(serial ?? 0)
    most = Math.max(most, await node.residentBytes())
  }
  const head = Math.max(...healthy.map(({ serial }) => serial))
  expect(frozen.every(({ serial }) => serial < head - BROADCAST / 2)).toBe(true)
  expect(most - before).toBeLessThan(ALLOWED_BYTES)
  expect(healthy.map(({ connects }) => connects)).toEqual([1, 1])
  for (const client of frozen) client.thaw()
  const verdict = await stage.judge()
  expect(verdict.counts.resets).toBe(0)
  expect(verdict.counts.taken).toBe((FROZEN + 2) * (verdict.counts.acknowledged + 1))
}, 240_000)

test('a client that takes nothing for two heartbeats is let go, and resumes exactly', async () => {
  const stage = new Stage()
  await stage.node({ HEARTBEAT_MS: '1000', PRESENCE_GRACE_MS: '500', PRESENCE_TTL_MS: '3000' })
  const position = await stage.open()
  const everything = { position, catchup: 'events' } as const
  const healthy = stage.client('ann', everything)
  const frozen = stage.client('ben', { ...everything, presence: { member: 'ben' } })
  const writer = stage.agent('writer', { padding: EVENT_BYTES })
  await writer.publish()
  await stage.quiet()
  frozen.freeze()
  stage.nemesis('freeze')
  await until('the server has let it go', async () => {
    const [serial] = await writer.publish()
    await healthy.untilSerial(serial ?? 0)
    const { members } = await stage.ask('GET', '/presence')
    return JSON.stringify(members).includes('"connected":false')
  })
  frozen.thaw()
  await until('it has connected again', () => frozen.connects === 2)
  const verdict = await stage.judge()
  expect(verdict.counts.resets).toBe(0)
  expect(healthy.connects).toBe(1)
}, 90_000)
