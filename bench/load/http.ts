import { connect, type Socket } from 'node:net'
import { API_KEY } from './target.ts'

export interface Reply {
  readonly status: number
  readonly body: Buffer
}

/**
 * One keep-alive connection with one request under way: bytes out, bytes in. A client of the usual kind costs more than the servers
 * that are measured here.
 */
export class HttpConnection {
  readonly #port: number
  #socket: Socket
  #pending: Buffer | null = null
  #take: ((reply: Reply) => void) | null = null
  #failed: ((error: Error) => void) | null = null

  constructor(port: number) {
    this.#port = port
    this.#socket = this.#connect()
  }

  /** Calls back, rather than promising: that is what the fast paths need. */
  send(request: Buffer, take: (reply: Reply) => void, failed: (error: Error) => void): void {
    this.#take = take
    this.#failed = failed
    this.#socket.write(request)
  }

  request(request: Buffer): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.send(request, resolve, reject)
    })
  }

  close(): void {
    this.#failed = null
    this.#socket.destroy()
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => {
      // After an answer that announced it, this socket is not the one in use.
      if (socket === this.#socket) this.#failed?.(new Error('the server closed the connection'))
    })
    return socket
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    this.#pending = bytes
    const end = bytes.indexOf('\r\n\r\n')
    if (end === -1) return
    const head = bytes.toString('latin1', 0, end)
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    if (bytes.length < end + 4 + length) return
    this.#pending = null
    const take = this.#take
    this.#take = null
    if (/\r\nconnection: close/i.test(head)) {
      const before = this.#socket
      this.#socket = this.#connect()
      before.destroy()
    }
    take?.({ status: Number(head.slice(9, 12)), body: bytes.subarray(end + 4, end + 4 + length) })
  }
}

export function requestBytes(
  method: string,
  path: string,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const all = {
    Host: '127.0.0.1',
    Authorization: `Bearer ${API_KEY}`,
    ...(body !== '' && { 'Content-Type': 'application/json' }),
    'Content-Length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** One request on a connection of its own. @throws Error on any answer but a 2xx */
export async function call(port: number, method: string, path: string, body = ''): Promise<Buffer> {
  const connection = new HttpConnection(port)
  try {
    return good(await connection.request(requestBytes(method, path, body))).body
  } finally {
    connection.close()
  }
}

/** @throws Error on any answer but a 2xx */
export function good(reply: Reply): Reply {
  if (reply.status >= 200 && reply.status < 300) return reply
  throw new Error(`the server answers ${reply.status}: ${reply.body.toString().slice(0, 400)}`)
}
