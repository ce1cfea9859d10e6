// The ceiling of a reconnect storm: bare handshakes whose token is checked by its signature, its audience and its end; and what a client
// missed as one frame that was made before, to whoever asks.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { bareWs, eventsText, eventText, ready, textFrame } from './bare-ws.ts'

const { SECRET = '', EVENTS = '0', BYTES = '370' } = process.env
const OFFERED = /(?:^|,) *heldline\.auth\.([\w-]+)/

const body = `"data":"${'x'.repeat(Number(BYTES) - eventText(1, '"data":""}').length)}"}`
/** By the serial that a client comes back from. */
const frames = new Map<number, Buffer>()

function frameAfter(serial: number): Buffer {
  const made = frames.get(serial)
  if (made !== undefined) return made
  const texts = Array.from({ length: Number(EVENTS) }, (_, i) => eventText(serial + 1 + i, body))
  const frame = textFrame(eventsText('s', texts.join(',')))
  frames.set(serial, frame)
  return frame
}

const attached = textFrame('{"type":"attached","mode":"resumed"}')

function admit(request: IncomingMessage): boolean {
  const [, offered = ''] = OFFERED.exec(request.headers['sec-websocket-protocol'] ?? '') ?? []
  const token = Buffer.from(offered, 'base64url').toString()
  const end = token.lastIndexOf('.')
  const signed = token.slice(0, end)
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  const right = createHmac('sha256', SECRET).update(signed).digest()
  if (signature.length !== right.length || !timingSafeEqual(signature, right)) return false
  const text = Buffer.from(signed.slice(signed.indexOf('.') + 1), 'base64url').toString()
  const { aud, exp } = JSON.parse(text) as { readonly aud: string; readonly exp: number }
  return aud === 'heldline' && exp * 1000 > Date.now()
}

const server = createServer()
bareWs(
  server,
  (raw) => (text) => {
    const { position } = JSON.parse(text) as { readonly position: string }
    raw.write(attached)
    raw.write(frameAfter(Number(position.split('.').at(-2))))
  },
  admit,
)
ready(server)
