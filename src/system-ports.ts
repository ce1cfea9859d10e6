import { hash, randomBytes, randomFillSync } from 'node:crypto'
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

/** Six bits a character. */
const POOL_CHARACTERS = 8192
const LETTER = /^[A-Za-z]/

/** The machine's randomness: a pool of base64url, since a call for a few characters costs more than all else about them. None is given twice. */
export class SystemRandom implements Random {
  readonly #bytes = Buffer.alloc((POOL_CHARACTERS / 4) * 3)
  #pool = ''
  #next = 0

  tag(): Tag {
    // 8 base64url characters are the form of a Tag; the one that means "before the first event" is nobody's.
    const tag = this.#take(8)
    return tag === GENESIS_TAG ? this.tag() : (tag as Tag)
  }

  epoch(): Epoch {
    // 10 base64url characters are the form of an Epoch.
    return this.#take(10) as Epoch
  }

  id(): string {
    for (;;) {
      // In two halves: a longer piece would hold on to the whole pool for as long as it lives.
      const head = this.#take(8)
      if (LETTER.test(head)) return head + this.#take(8)
    }
  }

  fraction(): number {
    return randomBytes(4).readUInt32LE() / 2 ** 32
  }

  #take(characters: number): string {
    if (this.#next + characters > this.#pool.length) {
      this.#pool = randomFillSync(this.#bytes).toString('base64url')
      this.#next = 0
    }
    const start = this.#next
    this.#next += characters
    return this.#pool.slice(start, this.#next)
  }
}

/** SHA-256, as hex. */
export const sha256: Hash = (text) => hash('sha256', text, 'hex')
