import { startCentrifuge } from './centrifuge.ts'
import { hasNats, startNats } from './nats.ts'
import type { Context } from './scenario.ts'
import { startSocketIo, type ServerProcess } from './servers.ts'

/** Those whom the same load is put to in the same run, as far as they are wanted and can be built here. */
export async function startPeers(context: Context): Promise<(readonly [string, ServerProcess])[]> {
  const { options, redis, centrifuge } = context
  if (!options.peers) return []
  const peers: (readonly [string, ServerProcess])[] = [
    ['Socket.IO Redis Streams', await context.keep(startSocketIo(redis))],
  ]
  if ('program' in centrifuge) {
    const { program } = centrifuge
    peers.push(
      ['Centrifuge Redis', await context.keep(startCentrifuge(program, redis))],
      ['Centrifuge memory', await context.keep(startCentrifuge(program, null))],
    )
  }
  if (hasNats()) peers.push(['NATS JetStream file', await context.keep(startNats())])
  return peers
}
