import type { ClientError } from './client-error.ts'
import type { Kit } from './kit.ts'
import type { Channel } from './reader.ts'

interface Waiter {
  readonly serial: number
  resolve(): void
  reject(error: ClientError): void
}

const ANSWER_MS = 10_000
const MAX_WAITERS = 1000

/** How far the subject has read: only the furthest is ever sent, one at a time, and again after a loss. [P-4.8] */
export class ReadMarker {
  readonly #session: string
  readonly #kit: Kit
  #channel: Channel | null = null
  #waiters: Waiter[] = []
  #wanted = 0
  #done = 0
  #asking = false

  constructor(session: string, kit: Kit) {
    this.#session = session
    this.#kit = kit
  }

  /** @throws ClientError by the promise: what the server refuses; `client_closed` */
  mark(serial: number): Promise<void> {
    this.#wanted = Math.max(this.#wanted, serial)
    if (serial <= this.#done) return Promise.resolve()
    const answer = new Promise<void>((resolve, reject) => {
      this.#waiters.push({ serial, resolve, reject })
    })
    if (this.#waiters.length > MAX_WAITERS) this.#waiters.shift()?.resolve()
    this.#pump()
    return answer
  }

  resume(channel: Channel): void {
    this.#channel = channel
    this.#pump()
  }

  pause(): void {
    this.#channel = null
  }

  close(): void {
    this.pause()
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#kit.clientClosed())
  }

  #pump(): void {
    const channel = this.#channel
    if (channel === null || this.#asking || this.#wanted <= this.#done) return
    const serial = this.#wanted
    this.#asking = true
    channel.ask({ op: 'read', session: this.#session, serial }, ANSWER_MS, (answer) => {
      this.#asking = false
      if (answer instanceof this.#kit.ClientError) {
        // What may go better later is sent with the next mark, or after the next attach.
        if (!answer.retryable) this.#settle(serial, (waiter) => waiter.reject(answer))
        return
      }
      this.#settle(serial, (waiter) => waiter.resolve())
      this.#pump()
    })
  }

  #settle(serial: number, tell: (waiter: Waiter) => void): void {
    this.#done = Math.max(this.#done, serial)
    const settled = this.#waiters.filter((waiter) => waiter.serial <= serial)
    this.#waiters = this.#waiters.filter((waiter) => waiter.serial > serial)
    for (const waiter of settled) tell(waiter)
  }
}
