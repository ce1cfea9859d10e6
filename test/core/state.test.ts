import { expect, test } from 'vitest'
import { SharedState } from '../../src/core/state.ts'
import type { StateCondition } from '../../src/core/transitions/state.ts'
import type { Limits } from '../../src/core/limits.ts'
import { BY, refusal, SESSION, World } from './world.ts'

async function open(limits: Partial<Limits> = {}) {
  const world = new World(limits)
  const node = world.node()
  await world.session()
  const { store, random, limits: all } = world
  const state = new SharedState({ store, random, limits: all, keeper: node.keeper })
  const asked = (key: string, condition: StateCondition = null) => ({
    session: SESSION,
    key,
    condition,
    by: BY,
  })
  return { world, node, state, asked }
}

test('[P-12.1] a value is kept as the bytes that came, in the record and in the event', async () => {
  const { world, state, asked } = await open()
  await state.set(asked('k'), '{"b":1.0, "a":12345678901234567890}')
  expect(await state.get(SESSION, 'k')).toEqual({
    key: 'k',
    version: 1,
    value: '{"b":1.0, "a":12345678901234567890}',
  })
  const page = await world.store.read(SESSION, { after: 1, limit: 10, maxBytes: 1e6 })
  expect(page?.events[0]?.text).toContain('"type":"state.set","id":"')
  expect(page?.events[0]?.text).toContain(
    '"data":{"key":"k","version":1,"value":{"b":1.0, "a":12345678901234567890}}}',
  )
})

test('[P-12.2] versions rise by one and go on after a deletion', async () => {
  const { world, state, asked } = await open()
  expect((await state.set(asked('k'), '1')).version).toBe(1)
  expect((await state.set(asked('k'), '1')).version).toBe(2)
  expect((await state.remove(asked('k'))).version).toBe(3)
  expect(await state.remove(asked('k'))).toEqual({ version: 3, committed: null })
  expect(await refusal(state.get(SESSION, 'k'))).toBe('state_not_found')
  expect((await state.set(asked('k'), '2')).version).toBe(4)
  expect((await world.types()).slice(1)).toEqual([
    'state.set',
    'state.set',
    'state.deleted',
    'state.set',
  ])
})

test.each([
  // [condition, of a key that is set at version 1, of one that was deleted]
  [null, null, null],
  [1, null, 'version_conflict'],
  [2, 'version_conflict', 'version_conflict'],
  ['set', null, 'version_conflict'],
  ['unset', 'version_conflict', null],
] as const)(
  '[P-12.2] with the condition %s a set key is %s, a deleted one %s',
  async (condition, set, deleted) => {
    const { state, asked } = await open()
    await state.set(asked('a'), '1')
    await state.set(asked('b'), '1')
    await state.remove(asked('b'))
    expect(await refusal(state.set(asked('a', condition), '2'))).toBe(set)
    expect(await refusal(state.set(asked('b', condition), '2'))).toBe(deleted)
  },
)

test('[P-12.2] a conflict names the version that is there', async () => {
  const { state, asked } = await open()
  await state.set(asked('k'), '1')
  const late = state.set(asked('k', 7), '2')
  await expect(late).rejects.toMatchObject({ code: 'version_conflict', facts: { version: 1 } })
  const none = state.set(asked('none', 7), '2')
  await expect(none).rejects.toMatchObject({ code: 'version_conflict', facts: { version: null } })
})

test('[P-12.1] a key that was deleted while it was set again, with a value of the same size, is there', async () => {
  const { world, state, asked } = await open()
  await state.set(asked('k'), '1')
  const { store } = world
  let between: (() => Promise<unknown>) | null = () => state.remove(asked('k'))
  const overtaken = new SharedState({
    store: {
      fields: (session, names) => store.fields(session, names),
      commit: async (request) => {
        const first = between
        between = null
        await first?.()
        return store.commit(request)
      },
    },
    random: world.random,
    limits: world.limits,
    keeper: { committed: () => undefined },
  })
  await overtaken.set(asked('k'), '2')
  expect(await state.all(SESSION)).toEqual([{ key: 'k', version: 3, value: '2' }])
})

test('[P-12.1] a value, the keys and all of it together have limits, and what is deleted makes room', async () => {
  const { state, asked } = await open({ maxEventBytes: 100, maxStateBytes: 150, maxStateKeys: 3 })
  const text = (bytes: number): string => JSON.stringify('x'.repeat(bytes - 2))
  expect(await refusal(state.set(asked('a'), text(101)))).toBe('payload_too_large')
  // By bytes, not letters.
  expect(await refusal(state.set(asked('a'), JSON.stringify('ä'.repeat(50))))).toBe(
    'payload_too_large',
  )
  await state.set(asked('a'), text(100))
  expect(await refusal(state.set(asked('b'), text(51)))).toBe('session_limit')
  await state.set(asked('b'), text(50))
  expect(await refusal(state.set(asked('b'), text(51)))).toBe('session_limit')
  await state.set(asked('a'), text(10))
  await state.set(asked('c'), '1')
  expect(await refusal(state.set(asked('d'), '1'))).toBe('session_limit')
  await state.remove(asked('c'))
  await state.set(asked('d'), '1')
  const grown = { kind: 'merge', patch: 'x'.repeat(120) } as const
  expect(await refusal(state.patch(asked('d'), grown))).toBe('payload_too_large')
  expect((await state.all(SESSION)).map(({ key }) => key)).toEqual(['a', 'b', 'd'])
})

test('[P-12.3] a patch that does not fit changes nothing at all', async () => {
  const { world, state, asked } = await open()
  await state.set(asked('k'), '{"a":1}')
  const operations = [
    { op: 'add', path: '/b', value: 2 },
    { op: 'test', path: '/a', value: 2 },
  ] as const
  const patch = { kind: 'json', operations } as const
  expect(await refusal(state.patch(asked('k'), patch))).toBe('patch_failed')
  expect(await state.get(SESSION, 'k')).toMatchObject({ version: 1, value: '{"a":1}' })
  expect(await world.types()).toHaveLength(2)
})

test('a key may have any name that an id may have', async () => {
  const { state, asked } = await open()
  for (const key of ['constructor', 'toString', 'hasOwnProperty']) await state.set(asked(key), '1')
  expect((await state.all(SESSION)).map(({ key }) => key)).toEqual([
    'constructor',
    'toString',
    'hasOwnProperty',
  ])
})

test('a closed session takes no change of its state, and one that is not there has none', async () => {
  const { node, state, asked } = await open()
  await state.set(asked('k'), '1')
  await node.sessions.close({ session: SESSION, by: BY })
  expect(await refusal(state.set(asked('k'), '2'))).toBe('session_closed')
  expect(await refusal(state.remove(asked('k')))).toBe('session_closed')
  expect((await state.get(SESSION, 'k')).value).toBe('1')
  const gone = { ...asked('k'), session: 'gone' as typeof SESSION }
  expect(await refusal(state.set(gone, '1'))).toBe('session_not_found')
  expect(await refusal(state.all(gone.session))).toBe('session_not_found')
})

test('[S1-07] [S2-05] what an agent sets is in the view of whoever joins later, by snapshot and by events', async () => {
  const { world, node, state, asked } = await open()
  await state.set(asked('result'), '{"rows":3}')
  await state.set(asked('gone'), '1')
  await state.remove(asked('gone'))
  const other = world.node()
  const view = await other.views.at(SESSION)
  expect(view.rest().state).toEqual([{ key: 'result', version: 1, value: { rows: 3 } }])
  await node.views.persist(SESSION, 0, 'snapshot-1')
  const restored = await world.node().views.at(SESSION)
  expect(restored.rest().state).toEqual(view.rest().state)
})

test('more writers at once than a node lets wait are told to come again', async () => {
  const { state, asked } = await open()
  const all = await Promise.all(
    Array.from({ length: 300 }, (_, i) => refusal(state.set(asked('k'), String(i)))),
  )
  expect(all.filter((code) => code === null)).toHaveLength(256)
  expect(new Set(all)).toEqual(new Set([null, 'contention']))
})
