import { once } from 'node:events'
import { WebSocket } from 'ws'
import { DIALECTS } from './dialects.ts'
import { call, good, HttpConnection, requestBytes } from './http.ts'
import { payload, PAYLOAD_BYTES, type Target } from './target.ts'

/** One agent: sends tokens in order, each stamped with the time that it is given. */
export interface Sender {
  /** How many events it has sent or will. */
  readonly sent: number
  send(atMs: number): void
  /** Waits for the answers that are due. @throws what went wrong */
  settle(): Promise<void>
  close(): void
}

export async function openSender(target: Target, session: string): Promise<Sender> {
  switch (target.dialect) {
    case 'heldline': {
      const port = target.publishPort ?? target.port
      await call(port, 'PUT', `/v1/sessions/${session}`, '{}')
      const started = '{"type":"message.started","data":{"message":"m","role":"assistant"}}'
      await call(port, 'POST', `/v1/sessions/${session}/events`, started)
      return new HttpSender(port, session)
    }
    case 'bare':
      return new HttpSender(target.publishPort ?? target.port, session)
    case 'socket.io':
    case 'centrifuge':
      return openSocketSender(target, session)
    case 'nats':
      throw new Error('the latency of NATS is not measured')
  }
}

const stamp = (atMs: number): string => `"@${Math.round(atMs * 1000)} `

/** One request at a time, as an agent that waits for its acknowledgement; what is due meanwhile waits. */
class HttpSender implements Sender {
  sent = 0
  readonly #connection: HttpConnection
  readonly #path: string
  readonly #queue: number[] = []
  #busy = false
  #error: Error | null = null
  #idle: (() => void) | null = null

  constructor(port: number, session: string) {
    this.#connection = new HttpConnection(port)
    this.#path = `/v1/sessions/${session}/events`
  }

  send(atMs: number): void {
    this.sent++
    this.#queue.push(atMs)
    this.#next()
  }

  async settle(): Promise<void> {
    if (this.#error === null && (this.#busy || this.#queue.length > 0)) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    if (this.#error !== null) throw this.#error
  }

  close(): void {
    this.#connection.close()
  }

  #next(): void {
    if (this.#busy || this.#error !== null) return
    const atMs = this.#queue.shift()
    if (atMs === undefined) return this.#idle?.()
    this.#busy = true
    const text = `${stamp(atMs)}${'x'.repeat(160)}"`
    const body = `{"type":"message.delta","data":{"message":"m","text":${text}}}`
    this.#connection.send(
      requestBytes('POST', this.#path, body),
      (reply) => {
        this.#busy = false
        try {
          good(reply)
        } catch (error) {
          return this.#fail(error as Error)
        }
        this.#next()
      },
      (error) => this.#fail(error),
    )
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#idle?.()
  }
}

async function openSocketSender(target: Target, session: string): Promise<Sender> {
  const { path } = DIALECTS[target.dialect]
  const port = target.publishPort ?? target.port
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false })
  await once(ws, 'open')
  const io = target.dialect === 'socket.io'
  const ready = once(ws, 'message')
  if (!io) ws.send('{"id":1,"connect":{}}')
  await ready
  if (io) {
    const connected = once(ws, 'message')
    ws.send('40')
    await connected
  }
  ws.on('message', (data: Buffer) => {
    const text = data.toString()
    if (io && text === '2') ws.send('3')
    if (!io && text.split('\n').includes('{}')) ws.send('{}')
  })
  return {
    sent: 0,
    send(this: { sent: number }, atMs) {
      this.sent++
      const data = payload(`"n":${this.sent},"t":${stamp(atMs)}"`, PAYLOAD_BYTES)
      if (io) ws.send(`42["publish","${session}",${data}]`)
      else ws.send(`{"id":9,"publish":{"channel":"${session}","data":${data}}}`)
    },
    // Their answers say nothing that the readers' check does not.
    settle: async () => undefined,
    close: () => ws.terminate(),
  }
}
