import type { Page, PageEvent } from '../../../src/client/page.ts'

/** A page whose eyes and network are the test's. */
export class FakePage implements Page {
  readonly #listeners = new Set<(event: PageEvent) => void>()
  readonly #frames = new Set<() => void>()
  #visible = true
  /** Whether it paints. */
  paints = false

  visible(): boolean {
    return this.#visible
  }

  frame(run: () => void): (() => void) | null {
    if (!this.paints) return null
    this.#frames.add(run)
    return () => void this.#frames.delete(run)
  }

  on(listener: (event: PageEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get listeners(): number {
    return this.#listeners.size
  }

  paint(): void {
    const frames = [...this.#frames]
    this.#frames.clear()
    for (const run of frames) run()
  }

  tell(event: PageEvent): void {
    if (event === 'hidden') this.#visible = false
    if (event === 'visible') this.#visible = true
    for (const listener of this.#listeners) listener(event)
  }
}
