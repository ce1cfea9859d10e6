import { Hub } from '../../../src/core/hub.ts'
import { DEFAULT_LIMITS, type Limits } from '../../../src/core/limits.ts'
import type { Clock } from '../../../src/core/clock.ts'
import type { Signals } from '../../../src/core/signals.ts'
import type { NewEvent } from '../../../src/core/store.ts'
import { encodeBody } from '../../../src/protocol/codec.ts'
import type { SessionId } from '../../../src/protocol/ids.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { SimBackend } from '../../support/sim-backend.ts'
import { calmFaults, roughFaults, type SimFaults, type Tally } from '../../support/sim-faults.ts'
import { SimSignals } from '../../support/sim-signals.ts'
import { SimStore } from '../../support/sim-store.ts'
import { Subscriber, type Stage } from './subscriber.ts'

export interface ModelOptions {
  /**
   * `calm`: nothing is lost, the periodic verification is off, and everybody must be at the head within `CALM_BOUND_MS`, since healing would
   * hide a race. `rough`: everything happens, and everybody must be there within `ROUGH_BOUND_MS` of its end.
   */
  readonly weather: 'calm' | 'rough'
  /** The hub to run; a mutated one must be found out. */
  readonly hub?: typeof Hub
  readonly verifyMs?: number
  /** What the hub hears by, in place of the simulated signals: a deaf spot must be found out, too. */
  readonly hearing?: (signals: Signals, clock: Clock) => Signals
}

export interface ModelOutcome {
  readonly violations: readonly string[]
  readonly tally: Tally
}

/** The longest log in the smallest pages at the slowest store. */
const CALM_BOUND_MS = 5000
const ROUGH_BOUND_MS = 10_000
const SESSION = 'the-line' as SessionId
const NODES = 2
const SUBSCRIBERS = 3

/** One random schedule over hubs, feeds and cursors of two nodes on one store. The same seed is the same run. */
export async function runModel(seed: number, options: ModelOptions): Promise<ModelOutcome> {
  const model = new Model(seed, options)
  await model.run()
  return { violations: model.violations, tally: model.tally }
}

class Model {
  readonly violations: string[] = []
  readonly #random: FakeRandom
  readonly #clock = new FakeClock()
  readonly #backend: SimBackend
  readonly #faults: SimFaults
  readonly #signals: SimSignals[] = []
  readonly #hubs: Hub[] = []
  readonly #subscribers: Subscriber[] = []
  readonly #calm: boolean
  #appended = 0

  constructor(seed: number, options: ModelOptions) {
    this.#random = new FakeRandom(seed)
    this.#calm = options.weather === 'calm'
    this.#backend = new SimBackend(this.#clock)
    this.#faults = {
      ...(this.#calm ? calmFaults() : roughFaults()),
      storeDelayMs: this.#random.pick([1, 5, 20]),
      wakeDelayMs: this.#random.pick([3, 15, 60]),
    }
    const limits = this.#limits(options.verifyMs ?? (this.#calm ? 1e9 : DEFAULT_LIMITS.verifyMs))
    for (let node = 0; node < NODES; node++) this.#open(options, limits)
    const stage: Stage = {
      clock: this.#clock,
      random: this.#random.fork(),
      backend: this.#backend,
      hubs: this.#hubs,
      calm: this.#calm,
      violation: (what) => this.violations.push(`${what} (at ${this.#clock.elapsed} ms)`),
    }
    for (let i = 0; i < SUBSCRIBERS; i++) {
      this.#subscribers.push(new Subscriber(`reader ${i}`, SESSION, stage))
    }
  }

  get tally(): Tally {
    return this.#backend.tally
  }

  async run(): Promise<void> {
    await this.#create()
    for (const subscriber of this.#subscribers) this.#come(subscriber)
    for (let steps = this.#random.int(10, 50); steps > 0; steps--) {
      await this.#step()
      // Mostly things happen on top of each other; now and then there is time for all of them to end.
      if (this.#random.chance(0.6)) await this.#clock.advance(this.#random.int(0, 30))
      else if (this.#random.chance(0.3)) await this.#rest()
      if (this.violations.length > 0) break
    }
    await this.#end()
    for (const hub of this.#hubs) hub.close()
  }

  /** In calm weather everybody must get to the head whenever nothing happens for a while, not only in the end. */
  async #rest(): Promise<void> {
    if (!this.#calm) return this.#clock.advance(this.#random.int(100, 6000))
    await this.#wait(CALM_BOUND_MS)
    this.#check(this.#subscribers.filter((subscriber) => !subscriber.away))
  }

  async #wait(ms: number): Promise<void> {
    const until = this.#clock.elapsed + ms
    while (this.#clock.elapsed < until) {
      for (const subscriber of this.#subscribers) subscriber.makeRoom()
      await this.#clock.advance(ms / 40)
    }
  }

  #check(subscribers: readonly Subscriber[]): void {
    const truth = this.#backend.truth(SESSION)
    if (truth === null) throw new Error('the model lost its own session')
    for (const subscriber of subscribers) subscriber.checkAtHead(truth)
  }

  /** Small pages and tails, so that a short log has many of them. */
  #limits(verifyMs: number): Limits {
    return {
      ...DEFAULT_LIMITS,
      verifyMs,
      pageEvents: this.#random.int(1, 6),
      pageBytes: this.#random.pick([150, 400, 4000]),
      tailBytes: this.#random.pick([0, 200, 600, 100_000]),
    }
  }

  #open(options: ModelOptions, limits: Limits): void {
    const shared = [this.#backend, this.#clock, this.#random.fork(), this.#faults] as const
    const store = new SimStore(...shared)
    const signals = new SimSignals(...shared)
    const log = { info: nothing, warn: nothing, error: nothing }
    const clock = this.#clock
    const heard = options.hearing?.(signals, clock) ?? signals
    const hub = new (options.hub ?? Hub)({ store, signals: heard, clock, limits, log })
    this.#signals.push(signals)
    this.#hubs.push(hub)
  }

  async #step(): Promise<void> {
    const dice = this.#random.fraction()
    const subscriber = this.#random.pick(this.#subscribers)
    if (dice < 0.45) this.#append()
    else if (dice < 0.62) this.#come(subscriber)
    else if (dice < 0.66) subscriber.detach()
    else if (dice < 0.72) subscriber.full = true
    else if (dice < 0.8) subscriber.makeRoom()
    else if (dice < 0.86) await this.#trim()
    else if (!this.#calm) await this.#harm()
  }

  async #harm(): Promise<void> {
    const dice = this.#random.fraction()
    const signals = this.#random.pick(this.#signals)
    if (dice < 0.5) {
      this.#backend.failover(this.#random.int(0, 6))
      if (this.#random.chance(0.7)) this.#append()
    } else if (dice < 0.6) {
      if (this.#random.chance(0.5)) this.#backend.flush()
      else this.#backend.evict(SESSION)
      await this.#create()
    } else if (dice < 0.7) {
      await this.#backend.remove(SESSION)
      this.tally.add('removed and made again')
      await this.#create()
    } else if (dice < 0.85) signals.deaf = true
    else signals.restore()
  }

  /** Writers are not what is proved here: they get through at once. */
  #append(): void {
    const events = Array.from({ length: this.#random.int(1, 3) }, () => this.#event())
    void this.#backend.commit({ session: SESSION, events })
    this.tally.add('appended', events.length)
  }

  #event(): NewEvent {
    const data = JSON.stringify(this.#appended++)
    return { tag: this.#random.tag(), body: encodeBody('x.n', `e${data}`, { subject: 's' }, data) }
  }

  async #create(): Promise<void> {
    const create = { epoch: this.#random.epoch() }
    await this.#backend.commit({ session: SESSION, create, events: [this.#event()] })
  }

  async #trim(): Promise<void> {
    const policy = { maxEvents: this.#random.int(1, 8), maxBytes: null, maxAgeMs: null }
    const result = await this.#backend.trim(SESSION, { ...policy, notAfter: 1e9, limit: 1000 })
    if ((result?.trimmed ?? 0) > 0) this.tally.add('trim')
  }

  /** Mostly something happens while it does: that is where races are. */
  #come(subscriber: Subscriber): void {
    this.tally.add('attach')
    if (this.#random.chance(0.4)) this.#append()
    void subscriber.attach(this.#random.pick(this.#hubs))
    if (this.#random.chance(0.4)) this.#append()
  }

  /** The faults are over. Whoever is away comes back, whoever is full has room; then there is a bound. */
  async #end(): Promise<void> {
    if (this.#backend.truth(SESSION) === null) await this.#create()
    // The very last wake-up is the one that no later one can make good.
    if (!this.#calm) this.#append()
    await this.#clock.advance(this.#calm ? 0 : 200)
    Object.assign(this.#faults, { ...calmFaults(), bareWake: 0, doubleWake: 0 })
    for (const signals of this.#signals) signals.deaf = false
    for (const subscriber of this.#subscribers) {
      if (subscriber.away || this.#random.chance(0.3)) this.#come(subscriber)
    }
    await this.#wait(this.#calm ? CALM_BOUND_MS : ROUGH_BOUND_MS)
    this.#check(this.#subscribers)
  }
}

function nothing(): void {
  // Nobody reads the log of a model.
}
