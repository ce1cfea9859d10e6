import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  DueDeadline,
  ListPage,
  ListQuery,
  LogHead,
  Page,
  ReadRange,
  Store,
  StoreHealth,
  TrimPolicy,
  TrimResult,
} from '../../src/core/store.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import type { FakeClock } from './fake-clock.ts'
import type { FakeRandom } from './fake-random.ts'
import type { SimBackend } from './sim-backend.ts'
import type { SimFaults } from './sim-faults.ts'

/** One node's way to the store: slow, and at times it fails. The effect of a call happens somewhere between asking and answering. */
export class SimStore implements Store {
  readonly durability = 'async'
  readonly #backend: SimBackend
  readonly #clock: FakeClock
  readonly #random: FakeRandom
  readonly #faults: SimFaults
  /** The node can't reach the store at all. */
  cut = false

  constructor(backend: SimBackend, clock: FakeClock, random: FakeRandom, faults: SimFaults) {
    this.#backend = backend
    this.#clock = clock
    this.#random = random
    this.#faults = faults
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#write(() => this.#backend.commit(request))
  }

  trim(session: SessionId, policy: TrimPolicy): Promise<TrimResult | null> {
    return this.#write(() => this.#backend.trim(session, policy))
  }

  remove(session: SessionId, guard?: DeadlineGuard): Promise<boolean> {
    return this.#write(() => this.#backend.remove(session, guard))
  }

  read(session: SessionId, range: ReadRange): Promise<Page | null> {
    return this.#look(() => this.#backend.memory.read(session, range))
  }

  heads(sessions: readonly SessionId[]): Promise<(LogHead | null)[]> {
    return this.#look(() => this.#backend.memory.heads(sessions))
  }

  fields(session: SessionId, names: readonly string[]): Promise<Map<string, string | null> | null> {
    return this.#look(() => this.#backend.memory.fields(session, names))
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.#look(() => this.#backend.memory.list(query))
  }

  due(limit: number): Promise<DueDeadline[]> {
    return this.#look(() => this.#backend.memory.due(limit))
  }

  async check(): Promise<StoreHealth> {
    return { ok: !this.cut, detail: 'simulated' }
  }

  async close(): Promise<void> {
    // The backend is shared and has nothing to let go of.
  }

  async #look<T>(look: () => Promise<T>): Promise<T> {
    await this.#delay()
    if (this.cut || this.#happens('failRead', 'read failed')) throw unavailable()
    const answer = look()
    await this.#delay()
    return answer
  }

  async #write<T>(write: () => Promise<T>): Promise<T> {
    await this.#delay()
    if (this.cut || this.#happens('failWrite', 'write failed')) throw unavailable()
    if (this.#happens('unknownWithout', 'unknown without effect')) throw unknown()
    const { generation } = this.#backend
    const answer = write()
    await this.#delay()
    if (this.#happens('unknownWith', 'unknown with effect')) throw unknown()
    // Another store took over: the connection that would have answered is gone, mostly.
    if (generation !== this.#backend.generation && this.#random.chance(0.8)) throw unknown()
    return answer
  }

  async #delay(): Promise<void> {
    const ms = this.#random.int(0, this.#faults.storeDelayMs)
    if (ms > 0) await this.#clock.sleep(ms)
  }

  #happens(fault: keyof SimFaults, what: string): boolean {
    if (!this.#random.chance(this.#faults[fault])) return false
    this.#backend.tally.add(what)
    return true
  }
}

function unavailable(): HeldlineError {
  return new HeldlineError('store_unavailable', 'unable to reach the store; simulated')
}

function unknown(): HeldlineError {
  return new HeldlineError('outcome_unknown', 'unable to tell; the answer was lost')
}
