// Socket.IO with its Redis Streams adapter and connection state recovery: what it has for a client that comes back.
import { createAdapter } from '@socket.io/redis-streams-adapter'
import { Redis } from 'ioredis'
import { Server } from 'socket.io'

const { PORT, REDIS_URL = '' } = process.env
const io = new Server({
  adapter: createAdapter(new Redis(REDIS_URL), {
    maxLen: 1_000_000,
    readCount: 1000,
    onlyPlaintext: true,
  }),
  connectionStateRecovery: { maxDisconnectionDuration: 120_000, skipMiddlewares: true },
  transports: ['websocket'],
  perMessageDeflate: false,
  serveClient: false,
})
io.on('connection', (socket) => {
  socket.on('join', async (room: string, done: () => void) => {
    await socket.join(room)
    done()
  })
  socket.on('publish', (room: string, data: unknown) => {
    io.to(room).emit('m', data)
  })
})
io.listen(Number(PORT))
io.httpServer.once('listening', () => console.log('ready'))
if (io.httpServer.listening) console.log('ready')
process.on('SIGTERM', () => process.exit(0))
