import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type Direction = 'request' | 'reply'

/**
 * What happens to connections: `pass` lets all through; `refuse` takes no new ones; `hole` swallows both directions and
 * says nothing; `hold` delivers requests and withholds every answer. A connection that lost something stays as it is, in the mode that
 * took it, since no network gives back one half of a stream: what passes again are new ones.
 */
export type ProxyMode = 'pass' | 'refuse' | 'hole' | 'hold'

export interface TcpProxy {
  readonly port: number
  readonly connections: number
  mode: ProxyMode
  /** Cuts every connection: with an RST, as a killed host or a firewall does, or with a FIN. */
  cut(how?: 'reset' | 'end'): void
  /**
   * Drops the next chunk of a direction that `matches`; everything else passes. Resolves when it was dropped. A chunk is what one
   * write sent, unless the network joined two.
   */
  dropNext(direction: Direction, matches: (chunk: Buffer) => boolean): Promise<void>
  /** Resolves when a chunk of the direction has been seen that `matches`, whatever was done with it. */
  seen(direction: Direction, matches?: (chunk: Buffer) => boolean): Promise<void>
  /** Idempotent. */
  close(): Promise<void>
}

interface Wish {
  readonly direction: Direction
  readonly matches: (chunk: Buffer) => boolean
  readonly drop: boolean
  readonly done: () => void
}

/** Whether a connection has lost something, and how. */
interface Link {
  mode: 'hole' | 'hold' | null
}

/** Stands before a server on this machine and does to its connections what networks do. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  const wishes = new Set<Wish>()
  let mode: ProxyMode = 'pass'
  let closed = false

  const granted = (direction: Direction, chunk: Buffer): boolean => {
    let dropped = false
    for (const wish of wishes) {
      if (wish.direction !== direction || !wish.matches(chunk)) continue
      if (wish.drop && dropped) continue
      dropped ||= wish.drop
      wishes.delete(wish)
      wish.done()
    }
    return dropped
  }
  const pipe = (from: Socket, to: Socket, direction: Direction, link: Link): void => {
    from.on('data', (chunk: Buffer) => {
      const dropped = granted(direction, chunk)
      if (mode === 'hole' || (mode === 'hold' && direction === 'reply')) link.mode ??= mode
      const lost = link.mode === 'hole' || (link.mode === 'hold' && direction === 'reply')
      if (!dropped && !lost) to.write(chunk)
    })
    from.on('error', () => undefined)
    from.on('end', () => link.mode === 'hole' || to.end())
    from.on('close', () => link.mode === 'hole' || to.destroy())
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (mode === 'refuse') {
      client.on('error', () => undefined)
      client.resetAndDestroy()
      return
    }
    client.setNoDelay(true)
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    const pair = [client, upstream] as const
    pairs.add(pair)
    const link: Link = { mode: null }
    pipe(client, upstream, 'request', link)
    pipe(upstream, client, 'reply', link)
    client.on('close', () => pairs.delete(pair))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')

  const wish = (direction: Direction, matches: (chunk: Buffer) => boolean, drop: boolean) =>
    new Promise<void>((done) => {
      wishes.add({ direction, matches, drop, done })
    })
  const cut = (how: 'reset' | 'end' = 'reset'): void => {
    for (const [client, upstream] of pairs) {
      if (how === 'reset') client.resetAndDestroy()
      else client.end()
      upstream.destroy()
    }
  }

  return {
    port: address.port,
    get connections() {
      return pairs.size
    },
    get mode() {
      return mode
    },
    set mode(next) {
      mode = next
    },
    cut,
    dropNext: (direction, matches) => wish(direction, matches, true),
    seen: (direction, matches = () => true) => wish(direction, matches, false),
    close: async () => {
      if (closed) return
      closed = true
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
