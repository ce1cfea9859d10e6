/** How long a client waits, and for what: every timer that it has, so that all of them end with it. [P-4.10] */
export class Patience {
  readonly #timers = new Set<NodeJS.Timeout>()
  #silence: NodeJS.Timeout | null = null
  #behind: NodeJS.Timeout | null = null

  /** From the last call on: what to do when nothing is heard for so long. */
  watchSilence(ms: number, task: () => void): void {
    if (this.#silence !== null) clearTimeout(this.#silence)
    this.#silence = setTimeout(task, ms)
  }

  /** From the first call on: what to do when the events of a head do not come. */
  watchBehind(ms: number, task: () => void): void {
    if (this.#behind !== null) return
    this.#behind = setTimeout(() => {
      this.#behind = null
      task()
    }, ms)
  }

  stopWatching(): void {
    if (this.#silence !== null) clearTimeout(this.#silence)
    if (this.#behind !== null) clearTimeout(this.#behind)
    this.#silence = null
    this.#behind = null
  }

  later(ms: number, task: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      task()
    }, ms)
    this.#timers.add(timer)
  }

  end(): void {
    this.stopWatching()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
