import { describe, expect, test } from 'vitest'
import { SimBackend } from '../support/sim-backend.ts'
import { calmFaults } from '../support/sim-faults.ts'
import { FakeAuthenticator, SimNode } from '../support/sim-node.ts'
import { SimSignals } from '../support/sim-signals.ts'
import { SimStore } from '../support/sim-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeRandom } from '../support/fake-random.ts'
import type { Sink } from '../../src/core/cursor.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import type { Epoch, SessionId } from '../../src/protocol/ids.ts'
import { fold, nextWord, picture } from './talk.ts'
import { BY, drafted, NO_LIMITS, refusal, SESSION, World } from './world.ts'

/** Follows for the sake of the tail alone. */
const ignored: Sink = {
  ready: () => true,
  deliver: () => undefined,
  reset: () => undefined,
  gone: () => undefined,
  failed: () => undefined,
}

const ids = ['a', 'b', 'c', 'd'] as SessionId[]

async function talkative(
  viewBytesOfAll: number,
  snapshotBytesOfAll = 1e9,
  limits: Partial<Limits> = {},
) {
  const world = new World({ viewBytesOfAll, snapshotBytesOfAll, ...limits })
  const node = world.node()
  for (const session of ids) {
    await world.session(NO_LIMITS, session)
    const drafts = [drafted('x.a', 'y'.repeat(5000))]
    await node.sessions.append({ session, drafts, by: BY })
  }
  const reads: string[] = []
  const read = world.store.read.bind(world.store)
  world.store.read = (session, range) => {
    reads.push(`${session}:${range.after}`)
    return read(session, range)
  }
  return { world, node, reads }
}

describe('the views that a node keeps', () => {
  test('are brought up to the head when they are asked for, from where they were', async () => {
    const { node, reads, world } = await talkative(1e9)
    const [a] = ids as [SessionId]
    await node.views.at(a)
    reads.length = 0
    await node.sessions.append({ session: a, drafts: [drafted('x.a')], by: BY })
    expect((await node.views.at(a)).position.serial).toBe(3)
    expect(reads).toEqual(['a:2'])
    expect(world.limits.viewBytesOfAll).toBe(1e9)
  })

  test('those that were not used for longest are let go when together they are too large', async () => {
    const { node, reads } = await talkative(16_000)
    for (const session of ids) await node.views.at(session)
    reads.length = 0
    await node.views.at('d' as SessionId)
    await node.views.at('c' as SessionId)
    expect(reads).toEqual(['d:2', 'c:2'])
    await node.views.at('a' as SessionId)
    expect(reads.at(2)).toBe('a:0')
  })

  test('one that is asked for by many at once is folded once', async () => {
    const { node, reads } = await talkative(1e9)
    const views = await Promise.all(
      Array.from({ length: 20 }, () => node.views.at('a' as SessionId)),
    )
    expect(new Set(views).size).toBe(1)
    expect(reads).toEqual(['a:0'])
  })

  test('one of a session that is removed is let go at once', async () => {
    const { node } = await talkative(1e9)
    const [a] = ids as [SessionId]
    const drafts = [
      drafted('message.started', { message: 'm', role: 'assistant' }),
      drafted('message.delta', { message: 'm', text: 'words' }),
    ]
    await node.sessions.append({ session: a, drafts, by: BY })
    await node.views.at(a)
    expect(node.views.lastTextLength(a)).toBe(5)
    await node.sessions.remove(a)
    expect(node.views.lastTextLength(a)).toBe(0)
  })

  test('one of a session that is gone is not found; one made again is of the new log', async () => {
    const { node, world } = await talkative(1e9)
    const [a] = ids as [SessionId]
    const before = (await node.views.at(a)).position.epoch
    await node.sessions.remove(a)
    expect(await refusal(node.views.at(a))).toBe('session_not_found')
    await world.session(NO_LIMITS, a)
    const { epoch, serial } = (await node.views.at(a)).position
    expect(epoch).not.toBe(before)
    expect(serial).toBe(1)
  })
})

describe('a view that somebody on this node follows', () => {
  const [a] = ids as [SessionId]
  const say = (node: SimNode, text: string) => {
    const said = { message: text, role: 'user', parts: [{ type: 'text', text }] }
    return node.sessions.append({
      session: a,
      drafts: [drafted('message.completed', said)],
      by: BY,
    })
  }
  /** A node where the session is followed and its view is kept, after which some is said. */
  async function followed(limits: Partial<Limits> = {}) {
    const { node, reads, world } = await talkative(1e9, 1e9, limits)
    await node.views.at(a)
    await node.hub.follow(a, null, ignored, () => undefined)
    await say(node, 'one')
    await say(node, 'two')
    reads.length = 0
    return { node, reads, world }
  }

  test('is brought up from what passed through it; the store only says that this is all', async () => {
    const { node, reads } = await followed()
    const view = await node.views.at(a)
    expect([...view.messages.keys()]).toEqual(['one', 'two'])
    expect(reads).toEqual(['a:4'])
  })

  test('reads what the tail has let go of', async () => {
    const { node, reads } = await followed({ tailBytes: 1 })
    const view = await node.views.at(a)
    expect([...view.messages.keys()]).toEqual(['one', 'two'])
    expect(reads).toEqual(['a:2'])
  })

  test('reads what came before the tail began', async () => {
    const { node, reads } = await talkative(1e9)
    await node.views.at(a)
    await say(node, 'one')
    await node.hub.follow(a, null, ignored, () => undefined)
    await say(node, 'two')
    reads.length = 0
    const view = await node.views.at(a)
    expect([...view.messages.keys()]).toEqual(['one', 'two'])
    expect(reads).toEqual(['a:2'])
  })

  test('takes nothing that follows another event of the same number', async () => {
    const { node, reads, world } = await followed()
    const { position } = await node.views.at(a)
    reads.length = 0
    for (const wrong of [
      { ...position, serial: 3 },
      { ...position, serial: 3, epoch: 'another' as Epoch },
      { ...position, serial: 9 },
    ]) {
      expect(node.hub.recent(a, wrong)).toBeNull()
    }
    const [third] = (await world.store.read(a, { after: 2, limit: 1, maxBytes: 1 }))?.events ?? []
    const right = { ...position, serial: 3, tag: third?.tag ?? position.tag }
    expect(node.hub.recent(a, right)?.map((event) => event.serial)).toEqual([4])
  })
})

describe('the frames of a view', () => {
  const [a, b] = ids as [SessionId, SessionId]
  const say = (node: SimNode, session: SessionId, text: string) => {
    const said = { message: 'm', role: 'user', parts: [{ type: 'text', text }] }
    return node.sessions.append({ session, drafts: [drafted('message.completed', said)], by: BY })
  }

  test('are the same for everybody who joins at one position, and new ones after it', async () => {
    const { node } = await talkative(1e9)
    const first = await node.views.frames(a)
    expect(await node.views.frames(a)).toBe(first)
    await say(node, a, 'hello')
    const second = await node.views.frames(a)
    expect(second[0]?.text).toContain('"text":"hello"')
    expect(second.at(-1)?.reaches).toEqual((await node.views.at(a)).position)
    expect(first[0]?.text).not.toContain('hello')
  })

  test('outlive the view, and are right all the same', async () => {
    const { node } = await talkative(0)
    await say(node, a, 'hello')
    const frames = await node.views.frames(a)
    await node.views.at(b)
    expect(await node.views.frames(a)).toBe(frames)
  })

  test('are let go of when together they are too large, those first that were used last of all', async () => {
    const { node } = await talkative(1e9, 2500)
    for (const session of [a, b]) await say(node, session, 'z'.repeat(400))
    const ofA = await node.views.frames(a)
    const ofB = await node.views.frames(b)
    expect(await node.views.frames(b)).toBe(ofB)
    expect(await node.views.frames(a)).not.toBe(ofA)
  })

  test('larger than all that may be kept are made each time', async () => {
    const { node } = await talkative(1e9, 100)
    expect(await node.views.frames(a)).not.toBe(await node.views.frames(a))
  })

  test('of a session made again are of the new one, and those of one that is forgotten are gone', async () => {
    const { node, world } = await talkative(1e9)
    const before = await node.views.frames(a)
    await node.sessions.remove(a)
    expect(await refusal(node.views.frames(a))).toBe('session_not_found')
    await world.session(NO_LIMITS, a)
    expect((await node.views.frames(a)).at(-1)?.reaches).not.toEqual(before.at(-1)?.reaches)
    const kept = await node.views.frames(b)
    node.views.forget(b)
    expect(await node.views.frames(b)).not.toBe(kept)
  })
})

test('a stored message is given in the very text that it is stored in', async () => {
  const { node } = await talkative(1e9)
  const [a] = ids as [SessionId]
  const said = { message: 'm', role: 'user', parts: [{ type: 'text', text: 'ä\u2028"\ud800' }] }
  await node.sessions.append({ session: a, drafts: [drafted('message.completed', said)], by: BY })
  const [before] = await node.views.frames(a)
  await node.views.persist(a, 0, 'name')
  node.views.forget(a)
  const [after] = await node.views.frames(a)
  expect(after).not.toBe(before)
  expect(after?.text).toBe(before?.text)
})

test('a view of a history that a failover took away is folded anew, whatever was cached or stored [invariant 3]', async () => {
  let forks = 0
  for (let seed = 0; seed < 300; seed++) {
    const clock = new FakeClock()
    const random = new FakeRandom(seed)
    const backend = new SimBackend(clock)
    const shared = [backend, clock, random.fork(), calmFaults()] as const
    const node = new SimNode({
      store: new SimStore(...shared),
      signals: new SimSignals(...shared),
      clock,
      random: random.fork(),
      limits: DEFAULT_LIMITS,
      authenticator: new FakeAuthenticator(),
    })
    const open = { session: SESSION, metadata: {}, settings: NO_LIMITS, by: BY }
    await clock.resolve(node.sessions.open(open))
    const follow = (): void =>
      void node.hub.follow(SESSION, null, ignored, () => undefined).catch(() => undefined)
    if (seed % 2 === 0) follow()
    for (let i = 0; i < 60; i++) {
      const dice = random.fraction()
      const word = { session: SESSION, drafts: [nextWord(random)], by: BY }
      if (dice < 0.6) node.sessions.append(word).catch(() => undefined)
      else if (dice < 0.7) node.views.persist(SESSION, 0, random.id()).catch(() => undefined)
      else if (dice < 0.75 && backend.writes > 10) backend.failover(random.int(0, 6))
      else if (dice < 0.78) node.views.forget(SESSION)
      else if (dice < 0.8) follow()
      else if (dice < 0.9) node.views.at(SESSION).catch(() => undefined)
      await clock.advance(random.int(0, 15))
    }
    await clock.advance(1000)
    const truth = backend.truth(SESSION)
    if (truth === null) continue
    forks += backend.generation
    const view = await clock.resolve(node.views.at(SESSION))
    expect(picture(view), `seed ${seed}`).toBe(picture(fold(truth.epoch, truth.events)))
    node.close()
  }
  expect(forks).toBeGreaterThan(300)
})
