import type { Clock, Timer } from '../core/clock.ts'
import type { Held } from './held.ts'

/** More of them would be smaller slices, and fewer pongs that are read together: four a second cost a sixth more in all. */
const TICKS_A_SECOND = 1

/**
 * All sockets of this node, and one clock for all of them: every second a slice of them gets its heartbeat, so that ten thousand need no
 * ten thousand timers, and no thundering second either, however many of them came at once.
 */
export class Connections {
  readonly #slots: Set<Held>[]
  readonly #slotOf = new Map<Held, number>()
  readonly #clock: Clock
  #turn = 0
  #timer: Timer | null = null
  #closed = false

  constructor(clock: Clock, heartbeatMs: number) {
    this.#clock = clock
    const count = Math.max(1, Math.round((heartbeatMs / 1000) * TICKS_A_SECOND))
    this.#slots = Array.from({ length: count }, () => new Set<Held>())
    this.#schedule(heartbeatMs / count)
  }

  get size(): number {
    return this.#slotOf.size
  }

  /** Its first turn comes a whole heartbeat later, since the first heartbeat is sent at once; sooner where that turn has more sockets than others. */
  add(socket: Held): void {
    const slot = this.#emptiest()
    this.#slots[slot]?.add(socket)
    this.#slotOf.set(socket, slot)
  }

  remove(socket: Held): void {
    const slot = this.#slotOf.get(socket)
    if (slot !== undefined) this.#slots[slot]?.delete(socket)
    this.#slotOf.delete(socket)
  }

  all(): readonly Held[] {
    return [...this.#slotOf.keys()]
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Of the slots with the fewest sockets, the one whose turn is furthest. */
  #emptiest(): number {
    const count = this.#slots.length
    let emptiest = this.#turn
    let least = Infinity
    for (let back = 0; back < count; back++) {
      const slot = (this.#turn - back + count) % count
      const size = this.#slots[slot]?.size ?? 0
      if (size >= least) continue
      emptiest = slot
      least = size
    }
    return emptiest
  }

  #schedule(everyMs: number): void {
    if (this.#closed) return
    this.#timer = this.#clock.after(everyMs, () => {
      this.#turn = (this.#turn + 1) % this.#slots.length
      for (const socket of this.#slots[this.#turn] ?? []) socket.beat()
      this.#schedule(everyMs)
    })
  }
}
