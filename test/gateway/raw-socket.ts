import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { until } from '../support/until.ts'

export interface FrameBits {
  readonly fin?: boolean
  readonly rsv1?: boolean
  readonly opcode?: number
  readonly masked?: boolean
  /** What the header says, where it is not the truth. */
  readonly declaredLength?: bigint
}

/** A client's frame, with whatever is wrong about it. (RFC 6455, section 5.2) */
export function frameOf(payload: string | Buffer, bits: FrameBits = {}): Buffer {
  const { fin = true, rsv1 = false, opcode = 1, masked = true, declaredLength } = bits
  const body = Buffer.from(payload)
  const length = declaredLength ?? BigInt(body.length)
  const first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode
  const maskBit = masked ? 0x80 : 0
  const head = Buffer.alloc(length < 126n ? 2 : length < 65_536n ? 4 : 10)
  head[0] = first
  if (length < 126n) head[1] = maskBit | Number(length)
  else if (length < 65_536n) {
    head[1] = maskBit | 126
    head.writeUInt16BE(Number(length), 2)
  } else {
    head[1] = maskBit | 127
    head.writeBigUInt64BE(length, 2)
  }
  // A mask of zeros is a mask, and leaves the payload readable here.
  return masked ? Buffer.concat([head, Buffer.alloc(4), body]) : Buffer.concat([head, body])
}

export interface Upgrade {
  readonly port: number
  readonly path?: string
  readonly method?: string
  /** Besides Host; a header that is `undefined` is left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Answers pings, as every browser does. */
  readonly pongs?: boolean
}

interface DownFrame {
  readonly type: string
  readonly [field: string]: unknown
}

/** A WebSocket client without a library: it sends what it is told, and sees every byte of the answer. */
export class RawSocket {
  readonly frames: DownFrame[] = []
  /** The status of the handshake, and the body where it was refused. */
  status = 0
  body = ''
  closeCode: number | null = null
  ended = false
  pings = 0
  readonly #socket: Socket
  readonly #pongs: boolean
  #bytes = Buffer.alloc(0)

  constructor({ port, path = '/v1/connect', method = 'GET', headers = {}, pongs = true }: Upgrade) {
    this.#pongs = pongs
    const all = { ...HANDSHAKE, ...headers }
    const lines = Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}`],
    )
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.on('data', (chunk) => this.#take(chunk))
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => {
      this.ended = true
    })
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines.join('\r\n')}\r\n\r\n`,
    )
  }

  get writable(): boolean {
    return this.#socket.writable
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** A frame of the protocol, or any text in the place of one. */
  send(content: object | string): void {
    this.write(frameOf(typeof content === 'string' ? content : JSON.stringify(content)))
  }

  /** Reads nothing more. */
  freeze(): void {
    this.#socket.pause()
  }

  thaw(): void {
    this.#socket.resume()
  }

  async reset(): Promise<void> {
    if (this.ended) return
    const gone = once(this.#socket, 'close')
    this.#socket.resetAndDestroy()
    await gone
  }

  async untilStatus(): Promise<number> {
    await until('the handshake is answered', () => this.status !== 0 || this.ended)
    return this.status
  }

  async untilFrame(matches: (frame: DownFrame) => boolean): Promise<DownFrame> {
    await until('the frame comes', () => this.frames.some(matches), {
      instead: () => ({ frames: this.frames.slice(-3), close: this.closeCode, ended: this.ended }),
    })
    const found = this.frames.find(matches)
    if (found === undefined) throw new Error('it was there a moment ago')
    return found
  }

  async untilEnd(): Promise<number | null> {
    await until('the server ends the connection', () => this.ended || this.closeCode !== null, {
      instead: () => this.frames.slice(-3),
    })
    return this.closeCode
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (this.status === 0 && !this.#takeHandshake()) return
    if (this.status !== 101) {
      this.body += this.#bytes.toString()
      this.#bytes = Buffer.alloc(0)
      return
    }
    while (this.#takeFrame());
  }

  #takeHandshake(): boolean {
    const end = this.#bytes.indexOf('\r\n\r\n')
    if (end < 0) return false
    this.status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#bytes.toString('latin1', 0, end))?.[1])
    this.#bytes = this.#bytes.subarray(end + 4)
    return true
  }

  #takeFrame(): boolean {
    const bytes = this.#bytes
    const [first, second] = bytes
    if (first === undefined || second === undefined) return false
    const head = second < 126 ? 2 : second === 126 ? 4 : 10
    if (bytes.length < head) return false
    const length =
      head === 2 ? second : head === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < head + length) return false
    const payload = bytes.subarray(head, head + length)
    this.#bytes = bytes.subarray(head + length)
    const opcode = first & 0x0f
    if (opcode === 1) this.frames.push(JSON.parse(payload.toString()) as DownFrame)
    if (opcode === 8) this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
    if (opcode === 9) {
      this.pings++
      if (this.#pongs) this.write(frameOf(payload, { opcode: 10 }))
    }
    return true
  }
}

const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': 'heldline.v1',
}
