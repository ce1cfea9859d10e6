import { HeldlineError } from '../protocol/errors.ts'

const MAX_WAITING = 256

/**
 * One after another, by name: those who would only overtake each other at the store wait here instead. Other nodes are not waited for; the store
 * decides between them.
 */
export class Turns {
  readonly #maxWaiting: number
  readonly #queues = new Map<string, { last: Promise<void>; waiting: number }>()

  constructor(maxWaiting = MAX_WAITING) {
    this.#maxWaiting = maxWaiting
  }

  /** @throws HeldlineError `contention` when too many wait, what the task throws */
  async run<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
    if ((this.#queues.get(name)?.waiting ?? 0) >= this.#maxWaiting) {
      throw new HeldlineError('contention', 'unable to commit; too many change the same thing', {
        retryAfterMs: 200,
      })
    }
    return this.insist(name, task)
  }

  /**
   * As `run`, but never refused: for what would be lost if it were not done, where something else bounds how many of it can wait. Each caller says what.
   * @throws what the task throws
   */
  async insist<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
    const queue = this.#queues.get(name) ?? { last: Promise.resolve(), waiting: 0 }
    this.#queues.set(name, queue)
    queue.waiting++
    const result = queue.last.then(task)
    queue.last = result.then(ignore, ignore)
    try {
      return await result
    } finally {
      if (--queue.waiting === 0) this.#queues.delete(name)
    }
  }
}

function ignore(): void {
  // Whoever asked for the task hears what became of it.
}
