/**
 * Listeners by the name of what they listen to. A listener that throws is reported as an uncaught error would be, and
 * neither the others nor the line of events notice.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>()

  on<K extends keyof Events>(name: K, listener: (value: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    // Two registrations of one function are two: each is undone by its own answer.
    const own = (value: Events[K]): void => listener(value)
    listeners.add(own)
    return () => void listeners.delete(own)
  }

  emit<K extends keyof Events>(name: K, value: Events[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        // The set under a name holds only listeners of that name's value.
        ;(listener as (value: Events[K]) => void)(value)
      } catch (error) {
        // Node has no such function.
        ;(globalThis.reportError ?? console.error)(error)
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
