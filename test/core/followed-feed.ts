import { Feed } from '../../src/core/feed.ts'
import { Places } from '../../src/core/places.ts'
import { RecentRoom } from '../../src/core/recent-batches.ts'
import type { LogHead } from '../../src/core/store.ts'
import { SESSION, World } from './world.ts'

/** A feed at the head of a session, and the node that it is of. */
export async function followedFeed(): Promise<{
  readonly world: World
  readonly node: ReturnType<World['node']>
  readonly feed: Feed
  readonly head: LogHead
}> {
  const world = new World()
  const node = world.node()
  await world.session()
  const [head] = await world.store.heads([SESSION])
  if (head === null || head === undefined) throw new Error('no session was made')
  const { store, clock, limits } = world
  const feed = new Feed(SESSION, head, {
    store,
    clock,
    limits,
    arrivals: new Places(limits.arrivalsAtOnce),
    recentRoom: new RecentRoom(limits.recentBytesOfAll),
    tailBytes: () => limits.tailBytes,
    failed: (_, error) => {
      throw error
    },
  })
  return { world, node, feed, head }
}
