import { hash, randomFillSync } from 'node:crypto'
import type { Clock, Timer } from './core/clock.ts'
import type { Hash } from './core/hash.ts'
import type { Random } from './core/random.ts'
import { GENESIS_TAG, type Epoch, type Tag } from './protocol/ids.ts'

/** `setTimeout` runs at once what is asked for later than this, about 24.8 days. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** The machine's time. */
export class SystemClock implements Clock {
  #deferred: (() => void)[] = []

  now(): number {
    return Date.now()
  }

  after(delayMs: number, task: () => void): Timer {
    let timeout: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      const nowMs = Math.min(leftMs, LONGEST_TIMEOUT_MS)
      timeout = setTimeout(() => (leftMs > nowMs ? wait(leftMs - nowMs) : task()), nowMs).unref()
    }
    wait(delayMs)
    return { cancel: () => clearTimeout(timeout) }
  }

  /** All tasks of a turn share one immediate; what they defer themselves waits for the next. */
  defer(task: () => void): void {
    if (this.#deferred.push(task) === 1) setImmediate(() => this.#runDeferred())
  }

  #runDeferred(): void {
    const tasks = this.#deferred
    this.#deferred = []
    for (const task of tasks) {
      try {
        task()
      } catch (error) {
        // A bug of one task is loud (an uncaught exception), and the others still run.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

const POOL_BYTES = 8192

/** The machine's randomness: a pool, since a call for a few bytes costs more than encoding them. No byte is given twice. */
export class SystemRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #next = POOL_BYTES

  tag(): Tag {
    const tag = this.#text(6)
    // 8 base64url characters are the form of a Tag; the one that means "before the first event" is nobody's.
    return tag === GENESIS_TAG ? this.tag() : (tag as Tag)
  }

  epoch(): Epoch {
    // 8 bytes are 11 characters, and 10 of them are the form of an Epoch.
    return this.#text(8).slice(0, 10) as Epoch
  }

  id(): string {
    for (;;) {
      const id = this.#text(12)
      if (/^[A-Za-z]/.test(id)) return id
    }
  }

  fraction(): number {
    return this.#pool.readUInt32LE(this.#take(4)) / 2 ** 32
  }

  #text(bytes: number): string {
    const start = this.#take(bytes)
    return this.#pool.toString('base64url', start, start + bytes)
  }

  #take(bytes: number): number {
    if (this.#next + bytes > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#next = 0
    }
    const start = this.#next
    this.#next += bytes
    return start
  }
}

/** SHA-256, as hex. */
export const sha256: Hash = (text) => hash('sha256', text, 'hex')
