import type { Wake } from '../../src/core/signals.ts'
import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  StoredEvent,
  TrimPolicy,
  TrimResult,
} from '../../src/core/store.ts'
import type { Epoch, SessionId } from '../../src/protocol/ids.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import type { FakeClock } from './fake-clock.ts'
import { Tally } from './sim-faults.ts'

/** What really is in the store now, dropped events included: what everybody is judged by in the end. */
export interface Truth {
  readonly epoch: Epoch
  readonly events: StoredEvent[]
}

type Write =
  | { readonly kind: 'commit'; readonly request: CommitRequest }
  | { readonly kind: 'trim'; readonly session: SessionId; readonly policy: TrimPolicy }
  | { readonly kind: 'remove'; readonly session: SessionId; readonly guard?: DeadlineGuard }

/**
 * The store that all nodes of a simulation share: memory, and beside it the list of its writes, so that a replica which lacks
 * the last ones can be promoted. [reliability D1]
 */
export class SimBackend {
  readonly tally = new Tally()
  readonly #clock: FakeClock
  readonly #truths = new Map<SessionId, Truth>()
  readonly #wires = new Set<(session: SessionId, wake: Wake) => void>()
  #writes: (Write & { readonly at: number })[] = []
  #memory: MemoryStore
  /** The time of the write that is replayed; `null`: this is no replay. */
  #replayedAt: number | null = null
  #generation = 0

  constructor(clock: FakeClock) {
    this.#clock = clock
    this.#memory = this.#empty()
  }

  /** For reads: the store as it is now. */
  get memory(): MemoryStore {
    return this.#memory
  }

  /** Rises when another store takes over, and with it every connection is a new one. */
  get generation(): number {
    return this.#generation
  }

  get writes(): number {
    return this.#writes.length
  }

  truth(session: SessionId): Truth | null {
    return this.#truths.get(session) ?? null
  }

  /** Every wake-up goes to every wire; what a wire does with it is its own affair. */
  connect(wire: (session: SessionId, wake: Wake) => void): void {
    this.#wires.add(wire)
  }

  broadcast(session: SessionId, wake: Wake): void {
    if (this.#replayedAt !== null) return
    for (const wire of this.#wires) wire(session, wake)
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    this.#writes.push({ kind: 'commit', request, at: this.#clock.now() })
    return this.#memory.commit(request)
  }

  trim(session: SessionId, policy: TrimPolicy): Promise<TrimResult | null> {
    this.#writes.push({ kind: 'trim', session, policy, at: this.#clock.now() })
    return this.#memory.trim(session, policy)
  }

  remove(session: SessionId, guard?: DeadlineGuard): Promise<boolean> {
    this.#writes.push({ kind: 'remove', session, ...(guard && { guard }), at: this.#clock.now() })
    return this.#memory.remove(session, guard)
  }

  /**
   * A replica without the last `lost` writes takes over. Nobody is told. A removal is never among them: a log that comes back from the
   * dead would make liars of those who were refused in between.
   */
  failover(lost: number): void {
    const removed = this.#writes.findLastIndex((write) => write.kind === 'remove')
    const kept = this.#writes.slice(0, Math.max(0, removed + 1, this.#writes.length - lost))
    this.tally.add(kept.length < this.#writes.length ? 'failover with loss' : 'failover')
    this.#takeOver()
    for (const write of kept) this.#replay(write)
    this.#replayedAt = null
    this.#writes = kept
  }

  /** Everything is gone. Nobody is told. */
  flush(): void {
    this.tally.add('flush')
    this.#takeOver()
    this.#writes = []
  }

  /** One session is gone, as by an eviction. Nobody is told. */
  evict(session: SessionId): void {
    this.tally.add('eviction')
    this.#replayedAt = this.#clock.now()
    void this.remove(session)
    this.#replayedAt = null
  }

  #takeOver(): void {
    this.#generation++
    this.#truths.clear()
    this.#memory = this.#empty()
  }

  #replay(write: Write & { readonly at: number }): void {
    this.#replayedAt = write.at
    if (write.kind === 'commit') void this.#memory.commit(write.request)
    else if (write.kind === 'trim') void this.#memory.trim(write.session, write.policy)
    else void this.#memory.remove(write.session, write.guard)
  }

  #empty(): MemoryStore {
    const signals = new Wires((session, wake) => {
      this.#record(session, wake)
      this.broadcast(session, wake)
    })
    return new MemoryStore(signals, () => Math.floor(this.#replayedAt ?? this.#clock.now()))
  }

  #record(session: SessionId, wake: Wake): void {
    if (wake.kind === 'removed') this.#truths.delete(session)
    if (wake.kind !== 'committed') return
    const known = this.#truths.get(session)
    const truth = known?.epoch === wake.epoch ? known : { epoch: wake.epoch, events: [] }
    truth.events.push(...wake.events)
    this.#truths.set(session, truth)
  }
}

/** The memory store's own signals: everything that it would say. */
class Wires extends LocalSignals {
  readonly #say: (session: SessionId, wake: Wake) => void

  constructor(say: (session: SessionId, wake: Wake) => void) {
    super()
    this.#say = say
  }

  override hears(): boolean {
    return true
  }

  override wake(session: SessionId, wake: Wake): void {
    this.#say(session, wake)
  }
}
