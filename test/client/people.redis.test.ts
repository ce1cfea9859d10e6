import { describePeople } from '../contract/people.ts'
import { describePeopleAway } from '../contract/people-away.ts'
import { type Nodes, QUICK } from '../contract/people-kit.ts'
import { startLocalServer } from '../support/local-server.ts'
import { startRedis } from '../support/redis-server.ts'

/** Two nodes, and those who come are spread over them. */
async function onRedis(env: Readonly<Record<string, string>> = {}): Promise<Nodes> {
  const redis = await startRedis()
  const settings = { ...env, REDIS_URL: redis.url }
  const nodes = [await startLocalServer(settings), await startLocalServer(settings)]
  return {
    nodes,
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()))
      await redis.stop()
    },
  }
}

describePeople('Redis, at two nodes', onRedis)
describePeopleAway('Redis, at two nodes', () => onRedis(QUICK))
