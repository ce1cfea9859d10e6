import { expect, test } from 'vitest'
import { loadSnapshot, saveSnapshot, storedHeader } from '../../src/core/snapshots.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { View } from '../../src/protocol/fold/view.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { SimBackend } from '../support/sim-backend.ts'
import { calmFaults, Tally } from '../support/sim-faults.ts'
import { SimNode, FakeAuthenticator } from '../support/sim-node.ts'
import { SimSignals } from '../support/sim-signals.ts'
import { SimStore } from '../support/sim-store.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { fold, foldOn, nextWord, picture } from './talk.ts'
import { BY, drafted, NO_LIMITS, SESSION, World } from './world.ts'

test('folding from a stored snapshot and what follows is folding from the start, wherever it was saved [invariant 5] [P-3.1]', async () => {
  for (let seed = 0; seed < 100; seed++) {
    const world = new World()
    const random = new FakeRandom(seed)
    const node = world.node()
    await world.session()
    for (let i = 0; i < 60; i++) {
      await node.sessions
        .append({ session: SESSION, drafts: [nextWord(random)], by: BY })
        .catch(expectRefusal)
      if (random.chance(0.1)) {
        const before = (await storedHeader(world.store, SESSION)).serial
        const view = await node.views.at(SESSION)
        const newer = view.position.serial > before
        const saved = await saveSnapshot(world.store, SESSION, view, random.id(), random.int(1, 4))
        expect(saved !== null).toBe(newer)
      }
    }
    const log = await world.log()
    const { epoch } = (await node.views.at(SESSION)).position
    const stored = await loadSnapshot(world.store, SESSION, 3)
    if (stored !== null) {
      expect(picture(foldOn(stored.view, log)), `seed ${seed}`).toBe(picture(fold(epoch, log)))
    }
    expect(picture(await world.node().views.at(SESSION))).toBe(picture(fold(epoch, log)))
  }
})

test('two nodes that save in the middle of each other, die in the middle, or lose the store under them leave a snapshot that is right', async () => {
  const tally = new Tally()
  for (let seed = 0; seed < 1200; seed++) {
    const run = new Saving(seed)
    await run.go()
    tally.addAll(run.backend.tally)
    tally.add('loaded', run.loaded)
    tally.add('saved', run.saved)
    tally.add('overtaken', run.overtaken)
  }
  for (const what of ['loaded', 'saved', 'overtaken', 'failover with loss']) {
    expect(tally.of(what), what).toBeGreaterThan(100)
  }
})

test('a snapshot is not saved over one that is as new, or newer', async () => {
  const world = new World()
  const node = world.node()
  await world.session()
  const view = await node.views.at(SESSION)
  expect(await saveSnapshot(world.store, SESSION, view, world.random.id())).not.toBeNull()
  expect(await saveSnapshot(world.store, SESSION, view, world.random.id())).toBeNull()
  expect((await storedHeader(world.store, SESSION)).serial).toBe(1)
})

test('a save writes only the messages that changed since the one before', async () => {
  const world = new World()
  const node = world.node()
  await world.session()
  const say = (drafts = [nextWord(world.random)]) =>
    node.sessions.append({ session: SESSION, drafts, by: BY }).catch(expectRefusal)
  for (let i = 0; i < 50; i++) await say()
  await saveSnapshot(world.store, SESSION, await node.views.at(SESSION), world.random.id())
  const written: string[] = []
  const commit = world.store.commit.bind(world.store)
  world.store.commit = (request) => {
    written.push(...(request.writes ?? []).map((write) => write.field))
    return commit(request)
  }
  await say([drafted('message.completed', { message: 'last', role: 'user', parts: [] })])
  written.length = 0
  await saveSnapshot(world.store, SESSION, await node.views.at(SESSION), world.random.id())
  expect(written.filter((field) => field.startsWith('snapshot:'))).toHaveLength(1)
})

test('a snapshot of another format is another version’s, and is passed over', async () => {
  const world = new World()
  await world.session()
  const value = JSON.stringify({ format: 2, position: 'whatever' })
  await world.store.commit({ session: SESSION, writes: [{ field: 'snapshot', value }] })
  expect(await loadSnapshot(world.store, SESSION)).toBeNull()
  expect((await world.node().views.at(SESSION)).position.serial).toBe(1)
})

/** A talk, two nodes that save it all the time, and a store that fails over. */
class Saving {
  readonly clock = new FakeClock()
  readonly random: FakeRandom
  readonly backend = new SimBackend(this.clock)
  readonly nodes: { readonly node: SimNode; readonly store: SimStore }[]
  loaded = 0
  saved = 0
  overtaken = 0

  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
    this.random = new FakeRandom(seed)
    this.nodes = [this.#node(), this.#node()]
  }

  async go(): Promise<void> {
    const { clock, random, backend } = this
    const { node } = random.pick(this.nodes)
    const open = { session: SESSION, metadata: {}, settings: NO_LIMITS, by: BY }
    await clock.resolve(node.sessions.open(open))
    for (let i = 0; i < 80; i++) {
      const dice = random.fraction()
      if (dice < 0.6) void this.#say()
      else if (dice < 0.8) void this.#save()
      else if (dice < 0.9) await clock.resolve(this.#check())
      else if (dice < 0.93) backend.failover(random.int(0, 8))
      else if (dice < 0.96) random.pick(this.nodes).store.cut = random.chance(0.5)
      await clock.advance(random.int(0, 12))
      if (backend.truth(SESSION) === null) return
    }
    await clock.advance(2000)
    await clock.resolve(this.#check())
  }

  #node(): { node: SimNode; store: SimStore } {
    const { clock, backend } = this
    const faults = calmFaults()
    const random = this.random.fork()
    const store = new SimStore(backend, clock, random, faults)
    const signals = new SimSignals(backend, clock, random, faults)
    const authenticator = new FakeAuthenticator()
    const ports = { store, signals, clock, random, limits: DEFAULT_LIMITS, authenticator }
    return { node: new SimNode(ports), store }
  }

  async #say(): Promise<void> {
    const { node } = this.random.pick(this.nodes)
    const drafts = [nextWord(this.random, 4)]
    await node.sessions.append({ session: SESSION, drafts, by: BY }).catch(expectRefusal)
  }

  async #save(): Promise<void> {
    const { node, store } = this.random.pick(this.nodes)
    const rounds = this.random.int(1, 3)
    try {
      const view: View = await node.views.at(SESSION)
      if (await saveSnapshot(store, SESSION, view, this.random.id(), rounds)) this.saved++
      else this.overtaken++
    } catch (error) {
      expectRefusal(error)
    }
  }

  async #check(): Promise<void> {
    const memory = this.backend.memory
    const stored = await loadSnapshot(memory, SESSION, 2)
    const truth = this.backend.truth(SESSION)
    if (stored === null || truth === null) return
    this.loaded++
    const folded = picture(foldOn(stored.view, truth.events))
    expect(folded, `seed ${this.#seed}`).toBe(picture(fold(truth.epoch, truth.events)))
  }
}

function expectRefusal(error: unknown): void {
  if (!(error instanceof HeldlineError)) throw error
}
