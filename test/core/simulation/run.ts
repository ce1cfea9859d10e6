import type { Member } from '../../../src/protocol/event.ts'
import type { WireEvent } from '../../../src/protocol/event.ts'
import type { SessionSettings } from '../../../src/core/transitions/session.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import type { Fact } from '../../support/history.ts'
import { checkHistory, type Recorded } from '../../support/history-checker.ts'
import { SimClient, seenAs } from '../../support/sim-client.ts'
import type { Tally } from '../../support/sim-faults.ts'
import type { View } from '../../../src/protocol/fold/view.ts'
import { fold, picture } from '../talk.ts'
import { BY, grant, NO_LIMITS, refusal, SESSION } from '../world.ts'
import { Cluster } from './cluster.ts'
import { SimProducer } from './producer.ts'

export interface SimulationOptions {
  /** Whether the store may lose what it acknowledged: failovers, flushes, evictions. */
  readonly lossy: boolean
  /** Also waits until presence has come to rest: two more minutes of virtual time. */
  readonly presence: boolean
}

export interface SimulationOutcome {
  readonly violations: readonly string[]
  readonly tally: Tally
  readonly recorded: readonly Recorded[]
}

const CLIENTS = ['c1', 'c2', 'c3', 'c4']
const PRODUCERS = ['p1', 'p2', 'p3']
const STEPS = 25
/** Subscribers are at the head within 10 s of the end of all faults, and of the last append. [reliability I8] */
const AT_HEAD_WITHIN_MS = 10_000
const PRESENCE_AT_REST_MS = 200_000

/** One random life of a cluster: three nodes, four clients, three producers, everything that may go wrong. The same seed is the same life. */
export async function simulate(
  seed: number,
  options: SimulationOptions,
): Promise<SimulationOutcome> {
  const simulation = new Simulation(seed, options)
  await simulation.run()
  const { violations, recorded, cluster } = simulation
  return { violations, recorded, tally: cluster.backend.tally }
}

class Simulation {
  readonly violations: string[] = []
  readonly recorded: Recorded[] = []
  readonly cluster: Cluster
  readonly #options: SimulationOptions
  readonly #clock = new FakeClock()
  readonly #random: FakeRandom
  readonly #settings: SessionSettings
  #clients: readonly SimClient[] = []
  #producers: readonly SimProducer[] = []
  #over = false

  constructor(seed: number, options: SimulationOptions) {
    this.#options = options
    this.#random = new FakeRandom(seed)
    this.cluster = new Cluster(this.#clock, this.#random)
    const maxEvents = this.#random.pick([null, 10, 40])
    this.#settings = { ...NO_LIMITS, retention: { ...NO_LIMITS.retention, maxEvents } }
  }

  async run(): Promise<void> {
    await this.#clock.resolve(this.#open())
    this.#begin()
    for (let step = 0; step < STEPS; step++) {
      await this.#clock.advance(this.#random.int(50, 1200))
      this.#harm()
    }
    await this.#end()
  }

  #begin(): void {
    const { cluster } = this
    const ports = {
      clock: this.#clock,
      nodes: () => cluster.nodes,
      record: (who: string, fact: Fact) => this.#record(who, fact),
      open: () => this.#open(),
      over: () => this.#over,
    }
    this.#clients = CLIENTS.map(
      (name) =>
        new SimClient(name, SESSION, grant({ subject: name }), {
          ...ports,
          random: this.#random.fork(),
        }),
    )
    this.#producers = PRODUCERS.map(
      (name, index) =>
        new SimProducer(name, index === 0, { ...ports, random: this.#random.fork() }),
    )
  }

  /** Makes the session, or makes it again after it was lost. */
  async #open(): Promise<void> {
    for (const node of this.cluster.nodes) {
      const request = { session: SESSION, metadata: {}, settings: this.#settings, by: BY }
      if ((await refusal(node.sessions.open(request))) === null) return
    }
  }

  #harm(): void {
    const { cluster } = this
    const dice = this.#random.fraction()
    const client = this.#random.pick(this.#clients)
    if (dice < 0.25) this.#nemesis('drop', () => client.drop())
    else if (dice < 0.35) this.#nemesis('freeze', () => this.#freeze(client))
    else if (dice < 0.45) this.#nemesis('crash', () => cluster.crash())
    else if (dice < 0.5) this.#nemesis('restart', () => cluster.restart())
    else if (dice < 0.6) this.#nemesis('partition', () => cluster.partition())
    else if (dice < 0.7) this.#nemesis('keep', () => this.#keep())
    else if (dice < 0.9 && this.#options.lossy) this.#nemesis('loss', () => this.#lose())
  }

  #nemesis(what: string, act: () => void): void {
    this.#record('nemesis', { kind: 'nemesis', what })
    act()
  }

  #lose(): void {
    const { backend } = this.cluster
    const dice = this.#random.fraction()
    if (dice < 0.8) backend.failover(this.#random.int(0, 12))
    else if (dice < 0.9) backend.flush()
    else backend.evict(SESSION)
  }

  /** Takes nothing for a while: its frames wait. */
  #freeze(client: SimClient): void {
    const { socket } = client
    if (socket === null) return
    socket.frozen = true
    this.cluster.backend.tally.add('slow client')
    this.#clock.after(this.#random.int(1000, 20_000), () => {
      socket.frozen = false
      socket.drain()
    })
  }

  #keep(): void {
    const { nodes } = this.cluster
    if (nodes.length > 0) this.#random.pick(nodes).keeper.look(SESSION)
  }

  async #end(): Promise<void> {
    // Whoever crashed comes back, whoever is frozen thaws; then the last words are said.
    await this.#clock.advance(5000)
    this.cluster.heal()
    this.#over = true
    await this.#clock.resolve(Promise.all(this.#producers.map((producer) => producer.done)))
    await this.#clock.resolve(this.#open())
    await this.#clock.advance(AT_HEAD_WITHIN_MS + 20_000)
    await this.#clock.resolve(this.#readAll())
    this.#judge()
    if (this.#options.presence) {
      await this.#clock.advance(PRESENCE_AT_REST_MS)
      this.#checkPresence()
    }
    await this.#checkViews()
    await this.#close()
  }

  /** The log as each node gives it, and as it really is, with what was dropped. */
  async #readAll(): Promise<void> {
    for (const [index, node] of this.cluster.nodes.entries()) {
      const events: WireEvent[] = []
      for (;;) {
        const after = events.at(-1)?.serial ?? 0
        const page = await node.sessions.events(SESSION, after, { limit: 50, waitMs: 0 })
        events.push(...page.events.map((event) => JSON.parse(event.text) as WireEvent))
        if (page.events.length === 0) {
          const seen = events.map((event) => seenAs(page.head, event))
          this.#record('test', { kind: 'history', node: `n${index}`, events: seen })
          break
        }
      }
    }
    const truth = this.#truth()
    const seen = truth.events.map((event) => seenAs(truth, event))
    this.#record('test', { kind: 'history', node: 'truth', events: seen })
  }

  #judge(): void {
    const { tally } = this.cluster.backend
    const report = checkHistory(this.recorded, { keepsAcknowledged: !this.#options.lossy })
    for (const { rule, what } of report.violations) this.violations.push(`${rule} ${what}`)
    for (const [what, count] of Object.entries(report.counts)) tally.add(what, count)
    for (const entry of this.recorded) {
      if (entry.kind !== 'reset') continue
      tally.add(`reset: ${entry.reason}`)
      if (!this.#options.lossy && entry.reason !== 'trimmed')
        this.violations.push(
          `I3 ${entry.who} was reset for ${entry.reason}, though nothing was lost`,
        )
    }
    for (const node of this.cluster.everyone) {
      for (const { level, event, fields } of node.log.lines) {
        if (level === 'error') this.violations.push(`C12 ${event} ${String(fields['error'])}`)
      }
    }
  }

  /** Everybody sees what the fold of the log is, however they came to it. [invariant 5] */
  async #checkViews(): Promise<void> {
    for (const client of this.#clients) this.#checkView(client.name, client.view)
    for (const [index, node] of this.cluster.nodes.entries()) {
      this.#checkView(`n${index}`, await this.#clock.resolve(node.views.at(SESSION)))
    }
  }

  #checkView(who: string, view: View): void {
    const { epoch, events } = this.#truth()
    const until = events.filter((event) => event.serial <= view.position.serial)
    if (picture(view) !== picture(fold(epoch, until)))
      this.violations.push(`R11 ${who} sees another view than the fold of the log`)
  }

  /** Who is there is there, once, and nobody else. [reliability C9] */
  #checkPresence(): void {
    const truth = this.#truth()
    const { members } = fold(truth.epoch, truth.events)
    const there = [...members.values()].filter((member: Member) => member.connected)
    const names = there.map(({ member }) => member).toSorted()
    if (names.join() !== CLIENTS.join())
      this.violations.push(`C9 the members are ${names.join()}, of ${[...members.keys()].join()}`)
  }

  /** Nothing is left: no timer, no subscription, no feed. */
  async #close(): Promise<void> {
    for (const client of this.#clients) client.stop()
    await this.#clock.advance(1000)
    for (const node of this.cluster.nodes) {
      if (node.hub.feeds > 0) this.violations.push(`C11 a node keeps ${node.hub.feeds} feeds`)
    }
    this.cluster.close()
    await this.#clock.advance(60_000)
    if (this.cluster.leftovers > 0) this.violations.push('C11 a subscription is left')
    if (this.#clock.timers > 0) this.violations.push(`C11 ${this.#clock.timers} timers are left`)
  }

  #truth() {
    const truth = this.cluster.backend.truth(SESSION)
    if (truth === null)
      throw new Error('the simulation lost its session after the end of all faults')
    return {
      epoch: truth.epoch,
      events: truth.events.map((event) => JSON.parse(event.text) as WireEvent),
    }
  }

  #record(who: string, fact: Fact): void {
    this.recorded.push({ who, session: SESSION, ms: this.#clock.elapsed, ...fact })
  }
}
