import type { Clock, Timer } from '../../src/core/clock.ts'

interface Pending {
  readonly at: number
  readonly order: number
  readonly task: () => void
  cancelled: boolean
}

const START = 1_790_000_000_000

/**
 * Virtual time. Nothing happens but by `advance` and `run…`: timers fire one by one, by time and then by the order in which they were
 * asked for, and after each one everything that was waiting for it (promises, deferred tasks) is done before the next.
 */
export class FakeClock implements Clock {
  #now = START
  /** How far the wall clock has been set apart from the time that timers go by. */
  #setBy = 0
  #order = 0
  #deferred: (() => void)[] = []
  /** A heap by time, then order. */
  readonly #heap: Pending[] = []
  #live = 0

  now(): number {
    return this.#now + this.#setBy
  }

  /** Sets the wall clock forward or back, as an operator or NTP does: timers go on by the time that is left to them. */
  set(byMs: number): void {
    this.#setBy += byMs
  }

  /** Milliseconds since this clock began. */
  get elapsed(): number {
    return this.#now - START
  }

  /** How many timers are set and neither fired nor cancelled: zero when nothing leaks. */
  get timers(): number {
    return this.#live
  }

  after(delayMs: number, task: () => void): Timer {
    const at = this.#now + Math.max(0, delayMs)
    const pending: Pending = { at, order: this.#order++, task, cancelled: false }
    push(this.#heap, pending)
    this.#live++
    return {
      cancel: () => {
        if (pending.cancelled) return
        pending.cancelled = true
        this.#live--
      },
    }
  }

  defer(task: () => void): void {
    this.#deferred.push(task)
  }

  /** Resolves when that much virtual time has gone by. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve))
  }

  /** Lets everything happen that needs no time: all promises that can go on, all deferred tasks. */
  async settle(): Promise<void> {
    for (;;) {
      await turn()
      if (this.#deferred.length === 0) return
      for (const task of this.#deferred.splice(0)) task()
    }
  }

  /** Goes on by so much time, timer by timer. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.settle()
    while (await this.#fireNext(until)) await this.settle()
    this.#now = until
  }

  /** Stands still for so long, like a process that was stopped: every timer that was due meanwhile fires late, then. */
  async stall(ms: number): Promise<void> {
    await this.settle()
    this.#now += ms
    await this.advance(0)
  }

  /** Goes on until the condition holds. @returns whether it did within `withinMs` */
  async runUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
    const until = this.#now + withinMs
    await this.settle()
    while (!condition()) {
      if (!(await this.#fireNext(until))) {
        this.#now = until
        return false
      }
      await this.settle()
    }
    return true
  }

  /** What a promise comes to, with as much time as it needs, within a bound. */
  async resolve<T>(promise: Promise<T>, withinMs = 600_000): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    if (await this.runUntil(() => settled, withinMs)) return promise
    throw new Error(`not settled within ${withinMs} ms of virtual time`)
  }

  async #fireNext(until: number): Promise<boolean> {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      pop(this.#heap)
      if (next.cancelled) continue
      next.cancelled = true
      this.#live--
      this.#now = Math.max(this.#now, next.at)
      next.task()
      return true
    }
    return false
  }
}

/** One turn of the real event loop: all promises that can go on have gone on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function before(a: Pending, b: Pending): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Pending[], entry: Pending): void {
  heap.push(entry)
  for (let i = heap.length - 1; i > 0;) {
    const parent = (i - 1) >> 1
    // Both are within the heap.
    if (!before(heap[i]!, heap[parent]!)) return
    swap(heap, i, parent)
    i = parent
  }
}

function pop(heap: Pending[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  heap[0] = last
  for (let i = 0; ;) {
    let least = i
    for (const child of [2 * i + 1, 2 * i + 2]) {
      // Both are within the heap.
      if (child < heap.length && before(heap[child]!, heap[least]!)) least = child
    }
    if (least === i) return
    swap(heap, i, least)
    i = least
  }
}

function swap(heap: Pending[], a: number, b: number): void {
  // Both are within the heap.
  const kept = heap[a]!
  heap[a] = heap[b]!
  heap[b] = kept
}
