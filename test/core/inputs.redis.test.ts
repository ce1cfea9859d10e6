import { describeInputs, type Two } from '../contract/inputs.ts'
import { startCluster, startRedis } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'

/** Each node has a store of its own, on one server. */
async function both(
  open: () => ReturnType<typeof openOn>,
  stop: () => Promise<void>,
): Promise<Two> {
  const [one, two] = [await open(), await open()]
  const close = async (): Promise<void> => {
    await one.store.close()
    await two.store.close()
    await stop()
  }
  return { one, two, close }
}

describeInputs('Redis', async () => {
  const server = await startRedis()
  return both(
    () => openOn(server.url),
    () => server.stop(),
  )
})

describeInputs('Redis Cluster', async () => {
  const cluster = await startCluster()
  const url = cluster.nodes[0]?.url ?? ''
  return both(
    () => openOn(url, { cluster: true }),
    () => cluster.stop(),
  )
})
