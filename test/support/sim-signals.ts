import type { Signals, Subscription, Wake } from '../../src/core/signals.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import type { FakeClock } from './fake-clock.ts'
import type { FakeRandom } from './fake-random.ts'
import type { SimBackend } from './sim-backend.ts'
import type { SimFaults } from './sim-faults.ts'

type Listener = (wake: Wake) => void

/** One node's ear: wake-ups come late, twice, out of order, without their events, or never. */
export class SimSignals implements Signals {
  readonly #backend: SimBackend
  readonly #clock: FakeClock
  readonly #random: FakeRandom
  readonly #faults: SimFaults
  readonly #listeners = new Map<SessionId, Set<Listener>>()
  readonly #restored = new Set<() => void>()
  /** Hears nothing at all. */
  deaf = false

  constructor(backend: SimBackend, clock: FakeClock, random: FakeRandom, faults: SimFaults) {
    this.#backend = backend
    this.#clock = clock
    this.#random = random
    this.#faults = faults
    backend.connect((session, wake) => this.#hear(session, wake))
  }

  /** How many subscriptions are open: zero when nothing leaks. */
  get subscriptions(): number {
    let count = this.#restored.size
    for (const listeners of this.#listeners.values()) count += listeners.size
    return count
  }

  subscribe(session: SessionId, listener: Listener): Subscription {
    const listeners = this.#listeners.get(session) ?? new Set()
    this.#listeners.set(session, listeners)
    // A function of its own, so that the same listener may subscribe twice.
    const entry: Listener = (wake) => listener(wake)
    listeners.add(entry)
    return { close: () => void listeners.delete(entry) }
  }

  send(session: SessionId, payload: string): void {
    this.#backend.broadcast(session, { kind: 'signal', payload })
  }

  onRestored(listener: () => void): Subscription {
    const entry = (): void => listener()
    this.#restored.add(entry)
    return { close: () => void this.#restored.delete(entry) }
  }

  /** Hears again, and says so. */
  restore(): void {
    this.deaf = false
    this.#backend.tally.add('signals restored')
    for (const listener of this.#restored) listener()
  }

  #hear(session: SessionId, wake: Wake): void {
    if ((this.#listeners.get(session)?.size ?? 0) === 0) return
    if (this.deaf || this.#happens('loseWake', 'wake-up lost')) {
      if (this.deaf) this.#backend.tally.add('wake-up lost')
      return
    }
    this.#arrive(session, wake)
    if (this.#happens('doubleWake', 'wake-up doubled')) this.#arrive(session, wake)
  }

  #arrive(session: SessionId, wake: Wake): void {
    const bare = wake.kind === 'committed' && this.#happens('bareWake', 'wake-up without events')
    const heard: Wake = bare ? { ...wake, events: [] } : wake
    this.#clock.after(this.#random.int(0, this.#faults.wakeDelayMs), () => {
      if (this.deaf) return
      this.#listeners.get(session)?.forEach((listener) => listener(heard))
    })
  }

  #happens(fault: keyof SimFaults, what: string): boolean {
    if (!this.#random.chance(this.#faults[fault])) return false
    this.#backend.tally.add(what)
    return true
  }
}
