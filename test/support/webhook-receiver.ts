import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** As `WEBHOOK_SECRET`; 32 bytes. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`

export interface Heard {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** @param nth from 1; a number is a status */
export type Reply = (response: ServerResponse, nth: number) => void
export type Replies = number | Reply

/** A receiver of webhooks on a real port. */
export class WebhookReceiver {
  readonly heard: Heard[] = []
  /** What it answers from now on. */
  replies: Replies = 200
  #server: Server | null = null
  #port = 0

  static async start(replies: Replies = 200): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver()
    receiver.replies = replies
    await receiver.up()
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`
  }

  get port(): number {
    return this.#port
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request
        this.heard.push({ method, path, headers, body: Buffer.concat(chunks).toString('utf8') })
        const { replies } = this
        if (typeof replies === 'number') response.writeHead(replies).end()
        else replies(response, this.heard.length)
      })
      // A sender that goes away in the middle is what some tests want.
      response.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Refuses connections from now on. Idempotent. */
  async down(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }
}
