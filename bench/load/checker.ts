/** Thrown when a delivery is missing, doubled or out of order. Ends the run. */
export class WrongDelivery extends Error {
  override readonly name = 'WrongDelivery'
}

const DIGIT_0 = 0x30
const KEPT = 1024

interface Known {
  readonly frame: Buffer
  readonly count: number
}

/**
 * Checks that numbered events come without a hole, by scanning bytes. A frame that equals one which was scanned before, byte for
 * byte, is not scanned again: a fan-out to a thousand sockets is checked at the speed of a comparison of memory.
 */
export class Checker {
  readonly #marker: Buffer
  /** By the number of the first event, the latest frame that begins with it. */
  readonly #known = new Map<number, Known>()

  /** @param marker what stands before the number of each event, and nowhere else */
  constructor(marker: string) {
    this.#marker = Buffer.from(marker)
  }

  /**
   * @param next the number that has to come first
   * @returns how many events are in the frame
   * @throws WrongDelivery
   */
  count(frame: Buffer, next: number): number {
    const known = this.#known.get(next)
    if (known !== undefined && known.frame.equals(frame)) return known.count
    const count = this.#scan(frame, next)
    // A copy: the frame is a slice of what the socket read, which would be kept as a whole.
    this.#known.set(next, { frame: Buffer.from(frame), count })
    if (this.#known.size > KEPT) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest)
        break
      }
    }
    return count
  }

  #scan(frame: Buffer, next: number): number {
    let count = 0
    let at = frame.indexOf(this.#marker)
    while (at !== -1) {
      const found = numberAt(frame, at + this.#marker.length)
      if (found !== next + count) {
        throw new WrongDelivery(`expected event ${next + count}, got ${found}`)
      }
      count++
      at = frame.indexOf(this.#marker, at + this.#marker.length)
    }
    if (count === 0) throw new WrongDelivery(`no event in ${frame.toString().slice(0, 200)}`)
    return count
  }
}

export function numberAt(bytes: Buffer, at: number): number {
  let value = 0
  for (let i = at; ; i++) {
    const digit = (bytes[i] ?? 0) - DIGIT_0
    if (digit < 0 || digit > 9) return value
    value = value * 10 + digit
  }
}
