import { connect, type Socket } from 'node:net'
import { until } from '../support/until.ts'

export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** An HTTP client without a library: it sends the bytes that it is told, and sees every byte of the answer. */
export class RawHttp {
  /** All that has come, and not been taken as an answer yet. */
  text = ''
  ended = false
  readonly #socket: Socket

  constructor(port: number, bytes: string | Buffer = '') {
    this.#socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.#socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1')
    })
    this.#socket.on('error', () => undefined)
    this.#socket.on('end', () => this.#socket.end())
    this.#socket.on('close', () => {
      this.ended = true
    })
    if (bytes.length > 0) this.#socket.write(bytes)
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes)
  }

  /** No more from this side; the answer is still awaited. */
  finish(): void {
    this.#socket.end()
  }

  /** Reads nothing more. */
  freeze(): void {
    this.#socket.pause()
  }

  /** The next answer, whole. */
  async answer(): Promise<RawAnswer> {
    await until('an answer comes', () => this.#complete() !== null, {
      withinMs: 8000,
      instead: () => ({ text: this.text.slice(0, 300), ended: this.ended }),
    })
    const found = this.#complete()
    if (found === null) throw new Error('it was there a moment ago')
    this.text = this.text.slice(found.bytes)
    return found.answer
  }

  async untilText(part: string): Promise<void> {
    await until(`the server says ${part}`, () => this.text.includes(part), {
      withinMs: 8000,
      instead: () => this.text.slice(-500),
    })
  }

  async untilEnd(): Promise<void> {
    await until('the server ends the connection', () => this.ended, {
      withinMs: 8000,
      instead: () => this.text.slice(-300),
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #complete(): { readonly answer: RawAnswer; readonly bytes: number } | null {
    const end = this.text.indexOf('\r\n\r\n')
    if (end < 0) return null
    const [first = '', ...lines] = this.text.slice(0, end).split('\r\n')
    const status = Number(first.split(' ')[1])
    if (status === 100) {
      this.text = this.text.slice(end + 4)
      return this.#complete()
    }
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
      }),
    )
    const length = Number(headers.get('content-length') ?? 0)
    const bytes = end + 4 + length
    if (this.text.length < bytes) return null
    return { answer: { status, headers, body: this.text.slice(end + 4, bytes) }, bytes }
  }
}

/** A request as it would be written by hand. */
export function rawRequest(
  line: string,
  headers: Readonly<Record<string, string | undefined>> = {},
  body = '',
): string {
  const all = { Host: '127.0.0.1', Authorization: 'Bearer agent:the-secret-of-the-key', ...headers }
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  )
  return `${line} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}
