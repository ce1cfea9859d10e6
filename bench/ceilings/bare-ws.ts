import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'

/** A socket with nothing on it: frames are made once and written to the stream under the WebSocket. */
export interface BareSocket {
  readonly raw: Duplex
  /** What the client says. */
  heard(text: string): void
}

/** The least that can be a WebSocket server. @param admit whom it lets in: everybody, unless said */
export function bareWs(
  server: Server,
  open: (raw: Duplex) => BareSocket['heard'],
  admit: (request: IncomingMessage) => boolean = () => true,
): Set<Duplex> {
  const sockets = new Set<Duplex>()
  const wss = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
  })
  server.on('upgrade', (request: IncomingMessage, raw: Duplex, head: Buffer) => {
    if (!admit(request)) return void raw.destroy()
    wss.handleUpgrade(request, raw, head, (ws) => {
      sockets.add(raw)
      const heard = open(raw)
      ws.on('message', (data: Buffer) => heard(data.toString()))
      ws.on('close', () => sockets.delete(raw))
      ws.on('error', () => undefined)
      raw.write(textFrame('{"type":"ready"}'))
    })
  })
  return sockets
}

/** One unmasked text frame. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(head + length)
  bytes[0] = 0x81
  if (head === 2) bytes[1] = length
  else if (head === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(length, 2)
  } else {
    bytes[1] = 127
    bytes.writeBigUInt64BE(BigInt(length), 2)
  }
  bytes.write(text, head)
  return bytes
}

/** An event of Heldline's form, around a body that is only copied. */
export const eventText = (serial: number, body: string): string =>
  `{"serial":${serial},"tag":"abcdefgh","prev":"abcdefgh","at":1790000000000,${body}`

export const eventsText = (session: string, events: string): string =>
  `{"type":"events","session":"${session}","events":[${events}]}`

/** Says that it can be used, and ends when it is told to. */
export function ready(server: Server): void {
  server.listen(Number(process.env['PORT']), '127.0.0.1', 16_384, () => console.log('ready'))
  process.on('SIGTERM', () => process.exit(0))
}
