import { expect, test } from 'vitest'
import { headPosition } from '../../src/core/judge.ts'
import type { LogHead, StoredEvent } from '../../src/core/store.ts'
import type { Tag } from '../../src/protocol/ids.ts'
import { followedFeed } from './followed-feed.ts'
import { BY, drafted, SESSION } from './world.ts'

/** A feed at the head of a session, and what extends its log. */
async function followed() {
  const { world, node, feed, head } = await followedFeed()
  const { clock } = world
  world.signals.subscribe(SESSION, (wake) => feed.wake(wake))
  const say = async () => {
    await node.sessions.append({ session: SESSION, drafts: [drafted('x.a', 1)], by: BY })
    await clock.settle()
  }
  return { world, feed, say, start: headPosition(head) }
}

test('who stands at one position gets one batch, whichever object says it; once more has come, all of it', async () => {
  const { feed, say, start } = await followed()
  await say()
  const batch = feed.held(start)
  expect(batch?.events.map(({ serial }) => serial)).toEqual([2])
  expect(feed.held({ ...start })).toBe(batch)
  expect(feed.held(start)).toBe(batch)
  await say()
  expect(feed.held(start)?.events.map(({ serial }) => serial)).toEqual([2, 3])
  expect(batch === null ? null : feed.held(batch.reaches)?.events.length).toBe(1)
})

test('what was made for a position is not given any more once the log is another one [invariant 3]', async () => {
  const { world, feed, say, start } = await followed()
  await say()
  await say()
  expect(feed.held(start)).not.toBeNull()
  const other = forkOf(await world.store.heads([SESSION]))
  world.store.read = () => Promise.resolve({ ...other, events: [] satisfies StoredEvent[] })
  feed.verify(other)
  await world.clock.settle()
  expect(feed.head).toEqual(headPosition(other))
  expect(feed.held(start)).toBeNull()
})

/** The same log after a failover: other content stands at its head. */
function forkOf([head]: readonly (LogHead | null)[]): LogHead {
  if (head === null || head === undefined) throw new Error('there is no log')
  return { ...head, tag: 'otherTag' as Tag }
}
