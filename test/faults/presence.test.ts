import { expect, test } from 'vitest'
import type { WireEventLike } from '../support/history.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

/** Small, so that a test can wait for all of it. */
const ENV = {
  HEARTBEAT_MS: '500',
  PRESENCE_GRACE_MS: '1000',
  PRESENCE_WINDOW_MS: '3000',
  PRESENCE_TTL_MS: '3000',
}

test("a node dies: its members are seen as not connected, then leave, by the other node's doing; others do not flap [P-5.4]", async () => {
  const stage = new Stage()
  const redis = await stage.redis()
  const env = { ...ENV, REDIS_URL: redis.url }
  const dying = await stage.node(env)
  const living = await stage.node(env)
  await stage.open()
  const stays = stage.client('stays', { urls: [living.url], presence: { member: 'stays' } })
  const lost = ['lost-1', 'lost-2'].map((member) =>
    stage.client(member, { urls: [dying.url], presence: { member } }),
  )
  const members = [...lost, stays].map(({ name }) => name)
  await until('all have entered', async () => (await story(stage)).length === 3)
  // Time enough for everybody to be refreshed by its node once and again.
  await until('heartbeats', () => stays.heartbeats >= 8)
  expect((await story(stage)).sort()).toEqual(members.map((member) => `entered ${member} true`))

  stage.nemesis('kill')
  await dying.kill()
  stage.nodes.splice(0, 1)
  await until('both have left', async () => {
    const told = await story(stage)
    return ['lost-1', 'lost-2'].every((member) => told.includes(`left ${member} expired`))
  })
  const told = await story(stage)
  for (const member of ['lost-1', 'lost-2']) {
    expect(told.filter((line) => line.includes(member))).toEqual([
      `entered ${member} true`,
      `updated ${member} false`,
      `left ${member} expired`,
    ])
  }
  expect(told.filter((line) => line.includes('stays'))).toEqual(['entered stays true'])
  const presence = await stage.ask('GET', '/presence')
  expect(presence).toMatchObject({ members: [{ member: 'stays', connected: true }] })
}, 90_000)

test('a member whose node dies comes back through the other one: an update at most, never a second entering (S0-15)', async () => {
  const stage = new Stage()
  const redis = await stage.redis()
  const env = { ...ENV, REDIS_URL: redis.url }
  const dying = await stage.node(env)
  const living = await stage.node(env)
  await stage.open()
  const moves = stage.client('moves', { presence: { member: 'moves' } })
  const stays = stage.client('stays', { urls: [living.url], presence: { member: 'stays' } })
  await until('both have entered', async () => (await story(stage)).length === 2)
  stage.nemesis('kill')
  await dying.kill()
  stage.nodes.splice(0, 1)
  await until('it is back', () => moves.connects >= 2 && moves.attached)
  const seen = stays.heartbeats
  // Longer than what would make it leave, by the heartbeats of somebody else.
  await until('the window is over', () => stays.heartbeats >= seen + 16)
  const told = await story(stage)
  expect(told.filter((line) => line.startsWith('entered'))).toHaveLength(2)
  expect(told.filter((line) => line.startsWith('left'))).toEqual([])
  const presence = await stage.ask('GET', '/presence')
  expect(presence['members']).toHaveLength(2)
  expect(presence['members']).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ member: 'moves', connected: true }),
      expect.objectContaining({ member: 'stays', connected: true }),
    ]),
  )
}, 90_000)

/** What the log says of members, a line each. */
async function story(stage: Stage): Promise<string[]> {
  const page = await stage.ask('GET', '/events?after=0&limit=1000', undefined, stage.urls.at(-1))
  return (page['events'] as WireEventLike[]).flatMap(({ type, data }) => {
    if (!type.startsWith('member.')) return []
    // The server's own events have the shape of the protocol.
    const { member, connected, reason } = data as Record<string, unknown>
    return [`${type.slice('member.'.length)} ${String(member)} ${String(reason ?? connected)}`]
  })
}
