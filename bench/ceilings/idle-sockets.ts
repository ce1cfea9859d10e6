// The ceiling of idle sockets: a WebSocket server that does nothing with them.
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { ready } from './bare-ws.ts'

const server = createServer()
const wss = new WebSocketServer({ server, perMessageDeflate: false })
wss.on('connection', (ws) => {
  ws.on('message', () => undefined)
  ws.send('{"type":"ready"}')
})
ready(server)
