import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'

/** What is under way may end for so long, once the server closes. */
const GRACE_MS = 5000

/**
 * Lets a closing server end. Node waits for every connection that is not idle, and takes one on which nothing was ever sent for busy:
 * clients open those ahead of need, and would hold the server until its time-outs.
 */
export function endLeftoverSockets(server: Server, clock: Clock): () => void {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    server.closeIdleConnections()
    const timer = clock.after(GRACE_MS, () => server.closeAllConnections())
    server.once('close', () => timer.cancel())
  }
}
