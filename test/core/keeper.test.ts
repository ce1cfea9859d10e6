import { describe, expect, test } from 'vitest'
import type { SessionSettings } from '../../src/core/transitions/session.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { storedHeader } from '../../src/core/snapshots.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { fold, nextWord, picture } from './talk.ts'
import { BY, drafted, NO_LIMITS, refusal, SESSION, World } from './world.ts'

const keeping = (retention: Partial<SessionSettings['retention']>): SessionSettings => ({
  ...NO_LIMITS,
  retention: { ...NO_LIMITS.retention, ...retention },
})

async function open(settings: SessionSettings, world = new World()) {
  const node = world.node()
  await world.session(settings)
  const say = async (draft = drafted('x.a', 1)) => {
    await node.sessions.append({ session: SESSION, drafts: [draft], by: BY })
    await world.clock.settle()
  }
  return { world, node, say, clock: world.clock }
}

/** Everything that was ever in the log. */
function recording(world: World): WireEvent[] {
  const all: WireEvent[] = []
  world.signals.subscribe(SESSION, (wake) => {
    if (wake.kind !== 'committed') return
    all.push(...wake.events.map((event) => JSON.parse(event.text) as WireEvent))
  })
  return all
}

const floorOf = async (world: World) => (await world.store.heads([SESSION]))[0]!.floor

describe('retention', () => {
  test('by count: no more events than asked are kept for long, and the latest ones', async () => {
    const { world, say } = await open(keeping({ maxEvents: 10 }))
    for (let i = 0; i < 300; i++) await say()
    const log = await world.log()
    expect(log.length).toBeLessThanOrEqual(10 + 64)
    expect(log.at(-1)?.serial).toBe(301)
  })

  test.each([null, 100_000])(
    'neither by count nor by bytes (by age: %s): no commit has the store asked to trim',
    async (maxAgeMs) => {
      const { world, node, say } = await open(keeping({ maxAgeMs }))
      world.store.trim = () => Promise.reject(new Error('trimmed'))
      for (let i = 0; i < 150; i++) await say()
      expect(await world.log()).toHaveLength(151)
      expect(node.log.at('warn')).toEqual([])
    },
  )

  test('by bytes: the log is not much larger than asked', async () => {
    const { world, say } = await open(keeping({ maxBytes: 100_000 }))
    for (let i = 0; i < 100; i++) await say(drafted('x.a', 'y'.repeat(10_000)))
    const bytes = (await world.log()).reduce((sum, event) => sum + JSON.stringify(event).length, 0)
    expect(bytes).toBeLessThan(100_000 + 2 * 64 * 1024)
  })

  test('by age: nothing is kept much longer than asked, though nobody appends', async () => {
    const { world, say, clock } = await open(keeping({ maxAgeMs: 100_000 }))
    for (let i = 0; i < 50; i++) {
      await say()
      await clock.advance(10_000)
    }
    const oldest = (await world.log())[0]!
    expect(clock.now() - oldest.at).toBeLessThan(100_000 + 12_000)
    await clock.advance(300_000)
    // The newest is the measure of idleness, and stays.
    expect((await world.log()).map((event) => event.serial)).toEqual([51])
  })

  test('without bounds nothing is dropped', async () => {
    const { world, say, clock } = await open(NO_LIMITS)
    for (let i = 0; i < 200; i++) await say()
    await clock.advance(3_600_000)
    expect(await world.log()).toHaveLength(201)
  })

  test.each([
    ['count', { maxEvents: 10 }, 10],
    ['bytes', { maxBytes: 1 }, 1],
    ['age', { maxAgeMs: 60_000 }, 1],
  ])(
    'lowered, by %s, holds for what is there, though nothing more is said [P-9.1]',
    async (_, retention, left) => {
      const { world, node, say, clock } = await open(keeping({ maxAgeMs: 604_800_000 }))
      for (let i = 0; i < 300; i++) await say()
      await clock.advance(120_000)
      await node.sessions.patch({ session: SESSION, settings: { retention }, by: BY })
      await clock.advance(5000)
      expect(await world.log()).toHaveLength(left)
      expect(node.log.at('warn')).toEqual([])
    },
  )

  test('by age holds on while other settings are changed, however often', async () => {
    const { world, node, say, clock } = await open(keeping({ maxAgeMs: 100_000 }))
    await say()
    await say()
    for (let i = 0; i < 5; i++) {
      await node.sessions.patch({ session: SESSION, settings: { ttlMs: 9e9 + i }, by: BY })
      await clock.advance(50_000)
    }
    expect(await world.log()).toHaveLength(1)
  })

  test('nothing is dropped that no snapshot holds: the view survives its log [invariant 5]', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new FakeRandom(seed)
      const maxEvents = random.int(1, 20)
      const { world, node, say } = await open(keeping({ maxEvents }))
      const all = await world.log()
      all.push(...recording(world).splice(0))
      const heard = recording(world)
      for (let i = 0; i < 80; i++) {
        await say(nextWord(random)).catch(expectRefusal)
        if (!random.chance(0.05)) continue
        await world.clock.resolve(node.keeper.keep(SESSION, true))
        // A node that knows nothing yet: snapshot and what is left of the log.
        const view = await world.clock.resolve(world.node().views.at(SESSION))
        const full = fold(view.position.epoch, [...all, ...heard])
        expect(picture(view), `seed ${seed}`).toBe(picture(full))
      }
      await world.clock.resolve(node.keeper.keep(SESSION, true))
      expect((await world.log()).length).toBeLessThanOrEqual(maxEvents)
    }
  })

  test('a view that is loaded while another node saves and trims is whole', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = new FakeRandom(seed)
      const { world, node, say } = await open(keeping({ maxEvents: 2 }))
      const all = await world.log()
      const heard = recording(world)
      const other = world.node()
      for (let i = 0; i < 30; i++) {
        await say(nextWord(random)).catch(expectRefusal)
        const kept = random.chance(0.4) ? node.keeper.keep(SESSION, true) : null
        if (random.chance(0.4)) {
          for (let ticks = random.int(0, 8); ticks > 0; ticks--) await Promise.resolve()
          other.views.forget(SESSION)
          const view = await other.views.at(SESSION)
          const full = fold(view.position.epoch, [...all, ...heard])
          expect(picture(view), `seed ${seed}`).toBe(picture(full))
        }
        await kept
      }
    }
  })

  test('a reader below the floor is told so, with the floor [P-4.4] [P-9.4]', async () => {
    const { world, node, say } = await open(keeping({ maxEvents: 5 }))
    const position = (await node.views.at(SESSION)).position
    for (let i = 0; i < 200; i++) await say()
    const floor = await floorOf(world)
    expect(floor).toBeGreaterThan(1)
    const read = node.sessions.events(SESSION, position, { limit: 1, waitMs: 0 })
    await expect(read).rejects.toMatchObject({
      code: 'position_unrecoverable',
      facts: { reason: 'trimmed', floor },
    })
  })
})

describe('an idle session [ttlMs]', () => {
  const ttlMs = 60_000
  const idle: SessionSettings = { ...NO_LIMITS, ttlMs }

  test('is removed when nothing was appended for so long, and readers are told', async () => {
    const { world, node, clock } = await open(idle)
    await clock.advance(ttlMs - 1000)
    expect(await world.store.heads([SESSION])).not.toEqual([null])
    await clock.advance(5000)
    expect(await world.store.heads([SESSION])).toEqual([null])
    expect(await refusal(node.views.at(SESSION))).toBe('session_not_found')
  })

  test('lives on with every append', async () => {
    const { world, clock, say } = await open(idle)
    for (let i = 0; i < 10; i++) {
      await clock.advance(ttlMs - 5000)
      await say()
    }
    expect(await world.log()).toHaveLength(11)
  })

  test('whose events retention has dropped is idle only since its last append', async () => {
    const { world, clock, say } = await open({ ...keeping({ maxAgeMs: 5000 }), ttlMs })
    await clock.advance(ttlMs - 20_000)
    await say()
    await clock.advance(30_000)
    expect(await world.store.heads([SESSION])).not.toEqual([null])
    await clock.advance(40_000)
    expect(await world.store.heads([SESSION])).toEqual([null])
  })

  test('never takes an acknowledged append along, whenever that comes [invariant 1]', async () => {
    let [kept, refused] = [0, 0]
    for (let atMs = ttlMs - 2500; atMs < ttlMs + 4500; atMs += 50) {
      const { world, clock, say } = await open(idle)
      world.node()
      await clock.advance(atMs)
      const code = await refusal(say())
      if (code === null) {
        kept++
        await clock.advance(ttlMs - 5000)
        expect(await world.types(), `at ${atMs}`).toEqual(['session.created', 'x.a'])
        await clock.advance(10_000)
      } else {
        refused++
        expect(['session_closed', 'session_not_found']).toContain(code)
        await clock.advance(5000)
      }
      expect(await world.store.heads([SESSION])).toEqual([null])
    }
    expect(Math.min(kept, refused)).toBeGreaterThan(10)
  })

  test('an append that slips in while its end is being decided keeps it open', async () => {
    const { world, clock, say } = await open(idle)
    const commit = world.store.commit.bind(world.store)
    let slipped = false
    world.store.commit = async (request) => {
      const expiring = request.writes?.some((write) => write.value === 'expiring') === true
      if (expiring && !slipped) {
        slipped = true
        await say()
      }
      return commit(request)
    }
    await clock.advance(ttlMs + 10_000)
    expect(slipped).toBe(true)
    expect(await world.types()).toEqual(['session.created', 'x.a'])
    await say()
    expect(await world.log()).toHaveLength(3)
  })

  test('that is closed by somebody while its end is being decided stays closed', async () => {
    const { world, clock, node, say } = await open(idle)
    await clock.runUntil(() => world.store !== null && clock.elapsed >= ttlMs - 10, ttlMs)
    const expired = async () => (await world.field('closed')) === 'expiring'
    while (!(await expired())) await clock.advance(50)
    await node.sessions.close({ session: SESSION, by: BY })
    await clock.advance(5000)
    expect(await world.types()).toEqual(['session.created', 'session.closed'])
    expect(await refusal(say())).toBe('session_closed')
    await clock.advance(ttlMs)
    expect(await world.store.heads([SESSION])).toEqual([null])
  })

  test('without an idle time, a deadline that was left over is cleared', async () => {
    const { world, clock, node } = await open(idle)
    await node.sessions.patch({ session: SESSION, settings: { ttlMs: null }, by: BY })
    await clock.advance(10 * ttlMs)
    expect(await world.log()).toHaveLength(1)
    expect(await world.store.due(10)).toEqual([])
  })
})

describe('a log without bounds', () => {
  test('costs no read of its events before a snapshot of them is due, and then has one', async () => {
    const { node, say, world } = await open(NO_LIMITS)
    const read = world.store.read.bind(world.store)
    let reads = 0
    world.store.read = (...range) => {
      reads++
      return read(...range)
    }
    for (let i = 0; i < 1500; i++) await say()
    expect(reads).toBe(0)
    for (let i = 0; i < 1100; i++) await say()
    expect((await storedHeader(world.store, SESSION)).serial).toBeGreaterThan(2048)
    expect(node.log.at('warn')).toEqual([])
  })

  test('whose view is held has it brought up now and then, though nobody follows', async () => {
    const { node, say, world } = await open(NO_LIMITS)
    await node.views.at(SESSION)
    for (let i = 0; i < 1500; i++) await say()
    const afters: number[] = []
    const read = world.store.read.bind(world.store)
    world.store.read = (session, range) => {
      afters.push(range.after)
      return read(session, range)
    }
    await node.views.at(SESSION)
    expect(afters[0]).toBeGreaterThan(1501 - 512 - 64)
  })

  test('that is given one keeps to it soon', async () => {
    const { node, say, world } = await open(NO_LIMITS)
    for (let i = 0; i < 300; i++) await say()
    const settings = { retention: { maxEvents: 10 } }
    await node.sessions.patch({ session: SESSION, settings, by: BY })
    for (let i = 0; i < 600; i++) await say()
    expect((await world.log()).length).toBeLessThanOrEqual(10 + 64)
  })
})

describe('the end of a message', () => {
  const started = drafted('message.started', { message: 'm', role: 'assistant' })
  const completed = drafted('message.completed', { message: 'm' })
  const delta = (text: string) => drafted('message.delta', { message: 'm', text })
  const savedAt = async (world: World) => (await storedHeader(world.store, SESSION)).serial
  const headOf = async (world: World) => (await world.store.heads([SESSION]))[0]!.head

  test('that was long to say has it saved: a cold node has nothing to read back', async () => {
    const { say, world } = await open(NO_LIMITS)
    await say(started)
    for (let i = 0; i < 300; i++) await say(delta('word '))
    expect(await savedAt(world)).toBe(0)
    await say(completed)
    expect(await savedAt(world)).toBe(303)
    const read = world.store.read.bind(world.store)
    const got: number[] = []
    world.store.read = async (...asked) => {
      const page = await read(...asked)
      got.push(page?.events.length ?? 0)
      return page
    }
    const view = await world.node().views.at(SESSION)
    expect(view.messages.get('m')).toMatchObject({
      status: 'completed',
      parts: [{ text: 'word '.repeat(300) }],
    })
    expect(got).toEqual([0])
  })

  test('that is said by the end of its run has it saved, too', async () => {
    const { node, say, world } = await open(NO_LIMITS)
    const { run, epoch } = await node.runs.start({ session: SESSION, by: BY })
    if (epoch === null) throw new Error('no run was started')
    const claim = { run, epoch }
    await node.runs.append({ session: SESSION, drafts: [started], by: BY, claim })
    for (let i = 0; i < 300; i++) await say(delta('word '))
    await node.runs.finish({ session: SESSION, by: BY, claim }, { status: 'finished' })
    await world.clock.settle()
    expect(await savedAt(world)).toBe(await headOf(world))
  })

  test('has it saved where a few long events would be read back', async () => {
    const { say, world } = await open(NO_LIMITS)
    await say(started)
    for (let i = 0; i < 10; i++) await say(delta('x'.repeat(40_000)))
    await say(completed)
    expect(await savedAt(world)).toBe(13)
  })

  test('has it saved after one more event, where its text would be long to encode again', async () => {
    const { node, say, world } = await open(NO_LIMITS)
    await say(started)
    for (let i = 0; i < 3; i++) await say(delta('x'.repeat(40_000)))
    await node.views.persist(SESSION, 0, 'by hand')
    expect(await savedAt(world)).toBe(5)
    await say(completed)
    expect(await savedAt(world)).toBe(6)
  })

  test('that was short costs nothing: the store is asked about none of them', async () => {
    const { node, say, world } = await open(NO_LIMITS)
    await world.clock.resolve(node.keeper.keep(SESSION, false))
    const commit = world.store.commit.bind(world.store)
    const fields = world.store.fields.bind(world.store)
    let commits = 0
    let reads = 0
    world.store.commit = (request) => {
      commits++
      return commit(request)
    }
    world.store.fields = (...asked) => {
      reads++
      return fields(...asked)
    }
    for (let i = 0; i < 30; i++) {
      await say(drafted('message.completed', { message: `m${i}`, role: 'user', parts: [] }))
    }
    expect({ commits, reads }).toEqual({ commits: 30, reads: 0 })
    expect(await savedAt(world)).toBe(0)
  })

  test('of many short ones: some are saved, by what they come to together', async () => {
    const { say, world } = await open(NO_LIMITS)
    const commit = world.store.commit.bind(world.store)
    let saves = 0
    world.store.commit = (request) => {
      if (request.writes?.some(({ field }) => field === 'snapshot') === true) saves++
      return commit(request)
    }
    for (let i = 0; i < 1100; i++) {
      await say(drafted('message.completed', { message: `m${i}`, role: 'user', parts: [] }))
    }
    expect(saves).toBe(4)
  })
})

test('a view that is held is kept up from what passes through, and is the view of the log', async () => {
  const { node, say, world } = await open(NO_LIMITS)
  const random = new FakeRandom(1)
  await node.views.at(SESSION)
  const sink = { ready: () => false, deliver: ignore, reset: ignore, gone: ignore, failed: ignore }
  const following = await node.hub.follow(SESSION, null, sink, ignore)
  for (let i = 0; i < 400; i++) {
    await say(nextWord(random)).catch(expectRefusal)
    if (random.chance(0.1)) node.views.keepUp(SESSION)
  }
  const view = await node.views.at(SESSION)
  expect(picture(view)).toBe(picture(fold(view.position.epoch, await world.log())))
  following.close()
})

test('of sessions that are to be looked at together, one is begun with a turn', async () => {
  const { world, node } = await open(NO_LIMITS)
  let turn = 0
  const defer = world.clock.defer.bind(world.clock)
  world.clock.defer = (task) =>
    defer(() => {
      turn++
      task()
    })
  const begun: [number, SessionId][] = []
  const fields = world.store.fields.bind(world.store)
  world.store.fields = (session, names) => {
    begun.push([turn, session])
    return fields(session, names)
  }
  const sessions = ['s1', 's2', 's3', 's4', 's5', 's6'] as SessionId[]
  for (const session of [...sessions, ...sessions]) node.keeper.look(session)
  await world.clock.settle()
  expect(begun).toEqual(sessions.map((session, index) => [index + 1, session]))
})

test('work that fails is logged and found again with the next commit', async () => {
  const { node, say, world } = await open(keeping({ maxEvents: 5 }))
  const trim = world.store.trim.bind(world.store)
  world.store.trim = () => Promise.reject(new HeldlineError('store_unavailable', 'down'))
  for (let i = 0; i < 70; i++) await say()
  expect(node.log.at('warn')).toContain('keeper.failed')
  expect(await floorOf(world)).toBe(0)
  world.store.trim = trim
  for (let i = 0; i < 70; i++) await say()
  expect(await floorOf(world)).toBeGreaterThan(60)
})

test('a closed keeper looks at nothing any more', async () => {
  const { node, say, world } = await open(keeping({ maxEvents: 5 }))
  node.keeper.close()
  for (let i = 0; i < 200; i++) await say()
  expect(await floorOf(world)).toBe(0)
})

function expectRefusal(error: unknown): void {
  if (!(error instanceof HeldlineError)) throw error
}

function ignore(): void {
  // Nothing is to be delivered here.
}
