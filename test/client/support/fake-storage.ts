import type { StorageArea } from '../../../src/client/storage.ts'

export class FakeStorage implements StorageArea {
  readonly #items = new Map<string, string>()

  get length(): number {
    return this.#items.size
  }

  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value)
  }

  removeItem(key: string): void {
    this.#items.delete(key)
  }

  /** As a tab has it that is duplicated from this one. */
  copy(): FakeStorage {
    const copy = new FakeStorage()
    for (const [key, value] of this.#items) copy.setItem(key, value)
    return copy
  }

  get text(): string {
    return JSON.stringify([...this.#items])
  }
}
