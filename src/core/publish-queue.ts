import type { Draft } from './new-event.ts'

/**
 * Keeps the order of one socket's publishes to one session. Most go to the store one behind the other without waiting, since whatever
 * answer one gets, it is not tried again behind the next; one that may be decided twice waits, and the next ones for it.
 */
export class PublishQueue {
  #last: Promise<void> = Promise.resolve()
  readonly #underWay = new Set<Promise<void>>()

  run<T>(drafts: readonly Draft[], publish: () => Promise<T>): Promise<T> {
    const result = mayRepeat(drafts) ? this.#alone(publish) : this.#last.then(publish)
    const settled = result.then(ignore, ignore)
    this.#underWay.add(settled)
    void settled.then(() => this.#underWay.delete(settled))
    return result
  }

  #alone<T>(publish: () => Promise<T>): Promise<T> {
    const result = Promise.all([this.#last, ...this.#underWay]).then(publish)
    this.#last = result.then(ignore, ignore)
    return result
  }
}

/** Whether a commit of these may find that it guessed the record wrong, and succeed only in a second attempt. */
function mayRepeat(drafts: readonly Draft[]): boolean {
  if (drafts.length > 1 && drafts.some((draft) => draft.id !== null)) return true
  return drafts.some(({ message }) => {
    if (message === null) return false
    const { verb, role } = message
    return verb === 'replace' || verb === 'delete' || (verb === 'complete' && role !== null)
  })
}

function ignore(): void {
  // The caller has the promise itself, and its error.
}
