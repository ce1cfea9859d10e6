import type { Redis } from 'ioredis'

const PERIOD_MS = 1000
const MISSES = 3
/** Of these, so many suffice when a command has gone unanswered too. */
const SUSPECT_MISSES = 2

/**
 * Asks each connection every second whether it still answers, and cuts those that do not. Without it a client stays on a dead host until
 * TCP gives up, minutes later.
 */
export class Watchdog {
  readonly #nodes: () => readonly Redis[]
  readonly #misses = new WeakMap<Redis, number>()
  readonly #timer: NodeJS.Timeout

  constructor(nodes: () => readonly Redis[]) {
    this.#nodes = nodes
    this.#timer = setInterval(() => this.#look(), PERIOD_MS).unref()
  }

  /** Cuts every connection that has missed an answer already, without waiting for more. */
  cutSilent(): void {
    for (const node of this.#nodes()) {
      if (node.status === 'ready' && (this.#misses.get(node) ?? 0) >= SUSPECT_MISSES)
        this.#cut(node)
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    for (const node of this.#nodes()) {
      if (node.status !== 'ready') {
        this.#misses.delete(node)
        continue
      }
      const misses = this.#misses.get(node) ?? 0
      if (misses >= MISSES) {
        this.#cut(node)
        continue
      }
      this.#misses.set(node, misses + 1)
      node.ping().then(
        () => this.#misses.delete(node),
        () => undefined, // A miss, counted already.
      )
    }
  }

  #cut(node: Redis): void {
    this.#misses.delete(node)
    // Not disconnect(): that waits for the other side's farewell, which a dead one does not say.
    node.stream.destroy()
  }
}
