import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import { SharedState } from '../../src/core/state.ts'
import type { StateCondition } from '../../src/core/transitions/state.ts'
import { Views } from '../../src/core/views.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import type { OpenedStore, OpenStore } from './store.ts'
import { create } from './store/kit.ts'

const by = { subject: 'ada' }

/** The shared state, on any store, through two nodes. [P-12] */
export function describeState(name: string, open: OpenStore): void {
  describe(`shared state: ${name}`, () => {
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())

    const node = (limits: Partial<Limits> = {}): SharedState =>
      new SharedState({
        store: opened.store,
        random: new SystemRandom(),
        limits: { ...DEFAULT_LIMITS, ...limits },
        keeper: { committed: () => undefined },
      })
    const fresh = async (): Promise<SessionId> => (await create(opened.store)).session

    const viewOf = (session: SessionId) => new Views(opened.store, DEFAULT_LIMITS).at(session)
    const request = (session: SessionId, key: string, condition: StateCondition = null) => ({
      session,
      key,
      condition,
      by,
    })

    test('[P-12.2] of many who write over one version, one does', async () => {
      const session = await fresh()
      const nodes = [node(), node()]
      await nodes[0]?.set(request(session, 'k'), '0')
      const tries = Array.from({ length: 20 }, (_, i) =>
        code(nodes[i % 2]?.set(request(session, 'k', 1), String(i + 1))),
      )
      const codes = await Promise.all(tries)
      expect(codes.filter((one) => one === null)).toHaveLength(1)
      expect(new Set(codes.filter((one) => one !== null))).toEqual(new Set(['version_conflict']))
      const winner = codes.indexOf(null) + 1
      expect(await node().get(session, 'k')).toEqual({ key: 'k', version: 2, value: `${winner}` })
    })

    test('[R11] [S2-05] [P-12.3] patches from two nodes at once all count, each on what the one before left', async () => {
      const session = await fresh()
      const nodes = [node(), node()]
      await nodes[0]?.set(request(session, 'list'), '{"items":[]}')
      const add = (value: number) => ({
        kind: 'json' as const,
        operations: [{ op: 'add' as const, path: '/items/-', value }],
      })
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          again(() => nodes[i % 2]?.patch(request(session, 'list'), add(i))),
        ),
      )
      const { version, value } = await node().get(session, 'list')
      const items = (JSON.parse(value) as { items: number[] }).items
      expect(items.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i))
      expect(version).toBe(21)
      expect((await viewOf(session)).state.get('list')).toEqual({
        key: 'list',
        version,
        value: { items },
      })
    })

    test('[P-12.1] the limits hold for all keys together, also where many are set at once', async () => {
      const session = await fresh()
      const nodes = [node({ maxStateKeys: 8 }), node({ maxStateKeys: 8 })]
      const codes = await Promise.all(
        Array.from({ length: 16 }, (_, i) =>
          code(again(() => nodes[i % 2]?.set(request(session, `k${i}`), 'true'))),
        ),
      )
      expect(codes.filter((one) => one === null)).toHaveLength(8)
      expect(codes.filter((one) => one === 'session_limit')).toHaveLength(8)
      expect(await node().all(session)).toHaveLength(8)
    })

    test('[R11] [S2-05] writes, patches and deletions of two nodes equal a serial order, and the view is the record', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 2, maxLength: 12 }), async (all) => {
          const session = await fresh()
          const nodes = [node(), node()]
          const outcomes = await Promise.all(all.map((one) => perform(nodes, session, one)))
          const record = await node().all(session)
          const { state, position } = await viewOf(session)
          expect(record.map(({ key }) => key).toSorted()).toEqual([...state.keys()].toSorted())
          for (const { key, version, value } of record)
            expect(state.get(key)).toEqual({ key, version, value: JSON.parse(value) })
          // Each that was acknowledged is one event, and has done to what the one before left what it says.
          const order = new Map(
            outcomes.flatMap((serial, i) => (serial === null ? [] : [[serial, all[i]] as const])),
          )
          expect(order.size).toBe(position.serial)
          expect(record.map(asData)).toEqual(expect.arrayContaining(replay(order)))
          expect(record).toHaveLength(replay(order).length)
        }),
        { numRuns: 30 },
      )
    })

    /** @returns the serial; `null`: refused, or nothing to do */
    async function perform(
      nodes: readonly SharedState[],
      session: SessionId,
      { at, key, what, value, condition }: Operation,
    ): Promise<number | null> {
      const asked = request(session, key, condition)
      const state = nodes[at] ?? node()
      try {
        const { committed } = await again(() => {
          if (what === 'set') return state.set(asked, JSON.stringify({ value }))
          if (what === 'remove') return state.remove(asked)
          return state.patch(asked, { kind: 'merge', patch: { [`m${value}`]: value } })
        })
        return committed?.last ?? null
      } catch (error) {
        if (error instanceof HeldlineError && error.code === 'version_conflict') return null
        throw error
      }
    }
  })
}

const operation = fc.record({
  at: fc.constantFrom(0, 1),
  key: fc.constantFrom('a', 'b'),
  what: fc.constantFrom('set' as const, 'patch' as const, 'remove' as const),
  value: fc.integer({ min: 0, max: 3 }),
  condition: fc.constantFrom<StateCondition>(null, null, 1, 2, 'set', 'unset'),
})

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

interface Kept {
  readonly version: number
  readonly value: unknown
}

const asData = ({ key, version, value }: { key: string; version: number; value: string }) => ({
  key,
  version,
  value: JSON.parse(value) as unknown,
})

/** What is left when these are done one after another, by the plainest rules. */
function replay(order: ReadonlyMap<number, Operation | undefined>) {
  const kept = new Map<string, Kept>()
  for (let serial = 1; serial <= order.size; serial++) {
    const done = order.get(serial)
    if (done === undefined) throw new Error(`nobody has made event ${serial}`)
    const { key, what, value, condition } = done
    const before = kept.get(key) ?? { version: 0, value: undefined }
    const isSet = before.value !== undefined
    if (typeof condition === 'number') expect(before.version).toBe(condition)
    if (condition === 'set') expect(isSet).toBe(true)
    if (condition === 'unset') expect(isSet).toBe(false)
    kept.set(key, { version: before.version + 1, value: after(what, value, before.value) })
  }
  return [...kept]
    .filter(([, { value }]) => value !== undefined)
    .map(([key, entry]) => ({ key, ...entry }))
}

function after(what: Operation['what'], value: number, before: unknown): unknown {
  if (what === 'remove') return undefined
  if (what === 'set') return { value }
  // The operations make nothing but objects.
  return { ...(before as object | undefined), [`m${value}`]: value }
}

/** As a client does with an answer that may be tried again. */
async function again<T>(work: () => Promise<T> | undefined): Promise<T> {
  for (;;) {
    try {
      const done = await work()
      if (done === undefined) throw new Error('there is no such node')
      return done
    } catch (error) {
      if (!(error instanceof HeldlineError) || error.code !== 'contention') throw error
    }
  }
}

async function code(work: Promise<unknown> | undefined): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (error instanceof HeldlineError) return error.code
    throw error
  }
}
