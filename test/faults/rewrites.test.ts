import { expect, onTestFinished, test } from 'vitest'
import { startSwitchboard } from '../support/switchboard.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const LONG = 90_000
/** Readers must be told; what was lost with the store is not our promise here. */
const SAID = { keepsAcknowledged: false }

test(
  'the log is trimmed beyond a reader who was away: it is told so, and given the view (S0-13)',
  async () => {
    const stage = new Stage()
    await stage.node()
    const position = await stage.open({ retention: { maxEvents: 50 } })
    const reader = stage.client('ann', { position, catchup: 'events' })
    const writer = stage.agent('writer')
    for (let i = 0; i < 10; i++) await writer.publish(4)
    await reader.untilSerial(41)
    const held = reader.position
    await reader.leave()
    for (let i = 0; i < 100; i++) await writer.publish(4)
    await until(
      'the log is trimmed',
      async () => Number((await stage.ask('GET', ''))['floor']) > 41,
    )
    reader.comeBack()
    await reader.untilSerial(441)
    expect(reader.resets).toHaveLength(1)
    expect(reader.resets[0]).toMatchObject({ reason: 'trimmed', position: held })
    await writer.publish()
    await stage.judge(SAID)
  },
  LONG,
)

test(
  'all data is flushed: readers hear that the session is gone, and of its new epoch once it is made again',
  async () => {
    const stage = new Stage()
    const redis = await stage.redis()
    const env = { REDIS_URL: redis.url }
    await stage.node(env)
    await stage.node(env)
    const position = await stage.open()
    const live = stage.client('live', { position, catchup: 'events' }, 0)
    const away = stage.client('away', { position, catchup: 'events' }, 1)
    const writer = stage.agent('writer')
    for (let i = 0; i < 10; i++) await writer.publish(2)
    await stage.quiet()
    const [epoch] = position.split('.')
    await away.leave()
    stage.nemesis('flushall')
    await redis.ask('flushall')
    await live.untilFrame('the end of its session', isGone)
    away.comeBack()
    await away.untilFrame('the end of its session', isGone)
    await expect(writer.publish()).rejects.toThrow('session_not_found')

    const again = await stage.open()
    expect(again.split('.')[0]).not.toBe(epoch)
    for (const client of [live, away]) {
      client.drop()
      await client.untilFrame('a reset', ({ type }) => type === 'reset')
      expect(client.resets[0]).toMatchObject({ reason: 'epoch' })
    }
    await stage.agent('next').publish(3)
    await stage.quiet()
    expect([live, away].map((client) => client.epoch)).toEqual([again, again].map(epochOf))
  },
  LONG,
)

test(
  'all data is flushed and the session made again at once: a reader who stayed is reset',
  async () => {
    const stage = new Stage()
    const redis = await stage.redis()
    await stage.node({ REDIS_URL: redis.url })
    const position = await stage.open()
    const live = stage.client('live', { position, catchup: 'events' })
    for (let i = 0; i < 5; i++) await stage.agent(`old${i}`).publish()
    await stage.quiet()
    stage.nemesis('flushall')
    await redis.ask('flushall')
    await stage.open()
    // As many events as before, and one more: the numbers alone would fit.
    for (let i = 0; i < 6; i++) await stage.agent(`new${i}`).publish()
    await live.untilFrame('a reset', ({ type }) => type === 'reset')
    expect(live.resets[0]).toMatchObject({ reason: 'epoch' })
    await stage.quiet()
  },
  LONG,
)

test.each([
  { what: 'fewer events', more: 3, reason: 'ahead' },
  { what: 'as many events', more: 10, reason: 'fork' },
  { what: 'more events', more: 25, reason: 'fork' },
])(
  'a failover lost 10 acknowledged events, and $what came under their serials: every reader hears $reason',
  async ({ more, reason }) => {
    const stage = new Stage()
    const primary = await stage.redis()
    const replica = await stage.redis({ replicaof: `127.0.0.1 ${primary.port}` })
    const address = await startSwitchboard(primary.port)
    onTestFinished(() => address.close())
    const env = { REDIS_URL: `redis://127.0.0.1:${address.port}` }
    await Promise.all([stage.node(env), stage.node(env)])
    const position = await stage.open()
    const everything = { position, catchup: 'events' } as const
    const live = stage.client('live', everything, 0)
    const other = stage.client('other', everything, 1)
    const away = stage.client('away', everything, 1)
    const writer = stage.agent('writer')
    for (let i = 0; i < 10; i++) await writer.publish()
    await until('the replica has all', async () => {
      const [ours, theirs] = await Promise.all([offsetOf(primary), offsetOf(replica)])
      return ours !== '' && ours === theirs
    })
    // From here on the replica hears nothing, and the primary acknowledges all the same.
    stage.nemesis('cut the replication link')
    await replica.ask('replicaof', 'no', 'one')
    for (let i = 0; i < 10; i++) await writer.publish()
    await stage.quiet()
    const held = live.position
    const head = live.serial
    await away.leave()

    stage.nemesis('promote the replica')
    await primary.kill()
    address.lead(null)
    // A node that found the new primary first writes, while the others still look for it.
    const first = await stage.node({ REDIS_URL: replica.url })
    const heir = stage.agent('heir', { urls: [first.url] })
    for (let i = 0; i < more; i++) await heir.publish()
    address.lead(replica.port)
    away.comeBack()
    for (const client of [live, other, away]) {
      await client.untilFrame('a reset', ({ type }) => type === 'reset')
      // What it was refused is what it held, and that is lost.
      expect(client.resets[0]).toMatchObject({ reason, position: held })
    }
    expect(await heir.publish()).toEqual([head - 10 + more + 1])
    const verdict = await stage.judge(SAID)
    expect(verdict.counts.resets).toBe(3)
    expect(lostBy(stage)).toBe(10)
  },
  LONG,
)

function isGone(frame: { readonly type: string; readonly [field: string]: unknown }): boolean {
  return frame.type === 'error' && frame['code'] === 'session_not_found'
}

const epochOf = (position: string): string => position.split('.')[0] ?? ''

async function offsetOf(redis: { ask(...command: string[]): Promise<string> }): Promise<string> {
  const info = await redis.ask('info', 'replication')
  return /(?:master_repl_offset|slave_repl_offset):(\d+)/.exec(info)?.[1] ?? ''
}

/** How many acknowledged events are not in the log any more: that it was a lossy failover is no guess. */
function lostBy(stage: Stage): number {
  const log = new Set(stage.history.of('history')[0]?.events.map(({ id }) => id))
  return stage.history.of('append.ok').filter(({ id }) => !log.has(id)).length
}
