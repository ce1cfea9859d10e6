import { PROTOCOL } from '../../protocol/version.ts'
import type { Secrets } from '../credentials.ts'
import { parseFrame } from '../read-frame.ts'
import type { Transport, TransportEvents } from './transport.ts'

/** The part of the WebSocket API that is used, so that any implementation will do. */
export interface WebSocketLike {
  readonly bufferedAmount: number
  addEventListener(name: 'open' | 'message' | 'close' | 'error', run: (event: Event) => void): void
  send(text: string): void
  close(code?: number): void
}
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

/** Above it the network takes nothing; what is sent again anyway is better not queued. */
const MAX_BUFFERED_BYTES = 1_048_576
const ABNORMAL = 1006

/**
 * The token goes into the first frame: a browser is not told why a handshake was refused, so that a token which is over
 * could not be told from a server which is away; and headers are logged and limited on the way. [P-6.3]
 */
export function openWebSocket(
  WebSocket: WebSocketConstructor,
  url: string,
  { token, ticket }: Secrets,
  events: TransportEvents,
): Transport {
  const address = ticket === null ? url : `${url}?ticket=${encodeURIComponent(ticket)}`
  let open = false
  let ended = false
  let socket: WebSocketLike
  const end = (code: number): void => {
    if (ended) return
    ended = true
    events.closed(code)
  }
  try {
    socket = new WebSocket(address, [PROTOCOL])
  } catch {
    // A policy of the page forbids it: as good as a socket that does not open.
    queueMicrotask(() => end(ABNORMAL))
    return { kind: 'websocket', send: () => false, close: () => (ended = true) }
  }
  socket.addEventListener('open', () => {
    open = !ended
    if (open && token !== null) socket.send(JSON.stringify({ op: 'auth', ref: 'auth', token }))
  })
  socket.addEventListener('message', (event) => {
    const { data } = event as MessageEvent<unknown>
    const frame = typeof data === 'string' ? parseFrame(data) : null
    if (frame !== null && !ended) events.frame(frame)
  })
  socket.addEventListener('close', (event) => end((event as CloseEvent).code))
  // Tells nothing, and a close follows it; without a listener some implementations throw.
  socket.addEventListener('error', () => {})
  return {
    kind: 'websocket',
    send(frame) {
      if (!open || ended || socket.bufferedAmount > MAX_BUFFERED_BYTES) return false
      socket.send(JSON.stringify(frame))
      return true
    },
    close() {
      if (ended) return
      ended = true
      socket.close(1000)
    },
  }
}
