import { DEFAULT_LIMITS, type Limits } from '../../../src/core/limits.ts'
import type { FakeClock } from '../../support/fake-clock.ts'
import type { FakeRandom } from '../../support/fake-random.ts'
import { SimBackend } from '../../support/sim-backend.ts'
import { roughFaults, type SimFaults } from '../../support/sim-faults.ts'
import { FakeAuthenticator, SimNode } from '../../support/sim-node.ts'
import { SimSignals } from '../../support/sim-signals.ts'
import { SimStore } from '../../support/sim-store.ts'

interface Slot {
  node: SimNode | null
  store: SimStore
  signals: SimSignals
}

const SIZE = 3
const BEAT_MS = 5000

/** Three nodes on one store, each of which may die, be cut off, or go down in peace. */
export class Cluster {
  readonly backend: SimBackend
  readonly faults: SimFaults = roughFaults()
  readonly limits: Limits
  readonly #clock: FakeClock
  readonly #random: FakeRandom
  readonly #slots: Slot[]
  /** Every node that ever was, for what it logged. */
  readonly everyone: SimNode[] = []

  constructor(clock: FakeClock, random: FakeRandom) {
    this.#clock = clock
    this.#random = random.fork()
    this.backend = new SimBackend(clock)
    this.limits = {
      ...DEFAULT_LIMITS,
      pageEvents: random.int(2, 20),
      pageBytes: random.pick([600, 4000]),
      tailBytes: random.pick([0, 1000, 100_000]),
      outboxBytes: 4000,
      foldAfterEvents: random.pick([5, 50, 5000]),
      snapshotEveryEvents: random.int(5, 60),
    }
    this.#slots = Array.from({ length: SIZE }, () => this.#start())
    this.#beat()
  }

  /** The nodes that clients can reach. */
  get nodes(): readonly SimNode[] {
    return this.#slots.flatMap(({ node }) => node ?? [])
  }

  /** kill -9: nothing of it is said to anybody, and after a while another process takes its place. */
  crash(): void {
    const slot = this.#random.pick(this.#slots)
    const { node } = slot
    if (node === null) return
    this.backend.tally.add('crash')
    slot.store.cut = true
    slot.signals.deaf = true
    slot.node = null
    for (const socket of node.sockets) socket.drop()
    node.close()
    this.#clock.after(this.#random.int(100, 4000), () => void Object.assign(slot, this.#start()))
  }

  /** A restart in peace: the clients are told, and the sockets closed. */
  restart(): void {
    const slot = this.#random.pick(this.#slots)
    const { node } = slot
    if (node === null) return
    this.backend.tally.add('restart')
    Object.assign(slot, this.#start())
    for (const { connection } of node.sockets)
      connection.goaway('restart', this.#random.int(0, 500))
    this.#clock.after(800, () => node.close())
  }

  /** A node that reaches neither the store nor the others, for a while. */
  partition(): void {
    const { store, signals } = this.#random.pick(this.#slots)
    this.backend.tally.add('partition')
    store.cut = true
    signals.deaf = true
    this.#clock.after(this.#random.int(500, 8000), () => {
      store.cut = false
      signals.restore()
    })
  }

  /** All faults are over. */
  heal(): void {
    Object.assign(this.faults, {
      loseWake: 0,
      failRead: 0,
      failWrite: 0,
      unknownWithout: 0,
      unknownWith: 0,
    })
    for (const { store, signals, node } of this.#slots) {
      if (node === null) continue
      store.cut = false
      signals.deaf = false
    }
  }

  /** How much of what nodes hold on to is still held on to. */
  get leftovers(): number {
    return this.#slots.reduce((sum, { signals }) => sum + signals.subscriptions, 0)
  }

  close(): void {
    for (const node of this.nodes) node.close()
    for (const slot of this.#slots) slot.node = null
  }

  #start(): Slot {
    const shared = [this.backend, this.#clock, this.#random.fork(), this.faults] as const
    const store = new SimStore(...shared)
    const signals = new SimSignals(...shared)
    const node = new SimNode({
      store,
      signals,
      clock: this.#clock,
      random: this.#random.fork(),
      limits: this.limits,
      authenticator: new FakeAuthenticator(),
    })
    this.everyone.push(node)
    return { node, store, signals }
  }

  #beat(): void {
    this.#clock.after(BEAT_MS, () => {
      for (const node of this.nodes) node.beat()
      if (this.nodes.length > 0) this.#beat()
    })
  }
}
