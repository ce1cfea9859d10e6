import type { Random } from '../../src/core/random.ts'
import type { Epoch, Tag } from '../../src/protocol/ids.ts'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const CHARACTERS = `${LETTERS}0123456789-_`

/** Seeded randomness (mulberry32): the same seed makes the same run. */
export class FakeRandom implements Random {
  #state: number

  constructor(seed: number) {
    // Neighbouring seeds begin far apart.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) >>> 0
  }

  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.int(0, choices.length - 1)]
    if (choice === undefined) throw new Error('nothing to choose from')
    return choice
  }

  /** Another source of its own, so that what one part asks for does not change what another gets. */
  fork(): FakeRandom {
    return new FakeRandom(this.int(0, 2 ** 31))
  }

  // These have the forms of their ids, so the casts are their parsers.
  tag(): Tag {
    return this.#text(8) as Tag
  }

  epoch(): Epoch {
    return this.#text(10) as Epoch
  }

  id(): string {
    return LETTERS.charAt(this.int(0, LETTERS.length - 1)) + this.#text(15)
  }

  #text(length: number): string {
    let text = ''
    for (let i = 0; i < length; i++) text += CHARACTERS.charAt(this.int(0, 63))
    return text
  }
}
