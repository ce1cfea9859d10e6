import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** An address that stays while what is behind it changes: what a floating address, or a name, does in a failover. */
export interface Switchboard {
  readonly port: number
  /** Cuts everybody off, and leads new connections to another server. `null`: to none. */
  lead(port: number | null): void
  /** Leads new connections to another server, and leaves those that there are: what a balancer does with a node that drains. */
  turn(port: number): void
  close(): Promise<void>
}

export async function startSwitchboard(first: number): Promise<Switchboard> {
  const sockets = new Set<Socket>()
  let target: number | null = first
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    keep(client)
    if (target === null) {
      client.destroy()
      return
    }
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    keep(upstream)
    client.setNoDelay(true)
    client.pipe(upstream)
    upstream.pipe(client)
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return {
    port: address.port,
    lead: (port) => {
      target = port
      cut()
    },
    turn: (port) => {
      target = port
    },
    close: async () => {
      if (!server.listening) return
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
