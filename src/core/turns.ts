import { HeldlineError } from '../protocol/errors.ts'

const MAX_WAITING = 256

/**
 * One after another, by name: those who would only overtake each other at the store wait here instead. Other nodes are not waited for; the store
 * decides between them.
 */
export class Turns {
  readonly #queues = new Map<string, { last: Promise<void>; waiting: number }>()

  /** @throws HeldlineError `contention` when too many wait, what the task throws */
  async run<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
    const queue = this.#queues.get(name) ?? { last: Promise.resolve(), waiting: 0 }
    if (queue.waiting >= MAX_WAITING) {
      throw new HeldlineError('contention', 'unable to commit; too many change the same thing', {
        retryAfterMs: 200,
      })
    }
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
