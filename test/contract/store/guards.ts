import { describe, expect, it } from 'vitest'
import type { Opened } from '../store.ts'
import { NAMES } from './commits.ts'
import { commit, create, deadlineOf, events } from './kit.ts'

export function describeGuards(opened: Opened): void {
  describe('guards', () => {
    it('let a commit through when every one holds', async () => {
      const { store } = opened()
      const { session } = await create(store, { writes: [{ field: 'a', value: '1' }] })
      const guards = [
        { field: 'a', equals: '1' },
        { field: 'b', equals: null },
        { deadline: 'd', at: null },
      ]
      await commit(store, { session, guards, events: events(1) })
    })

    it('answer a conflict with what every guarded field and deadline really is', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        writes: [
          { field: 'a', value: '1' },
          { field: 'empty', value: '' },
        ],
        deadlines: [{ deadline: 'set', inMs: 3_600_000 }],
      })
      const at = await deadlineOf(store, session, 'set')
      const guards = [
        { field: 'a', equals: '1' },
        { field: 'empty', equals: null },
        { field: 'absent', equals: '' },
        { deadline: 'set', at: 1 },
        { deadline: 'unset', at: null },
      ]
      expect(await store.commit({ session, guards })).toEqual({
        outcome: 'conflict',
        fields: new Map([
          ['a', '1'],
          ['empty', ''],
          ['absent', null],
        ]),
        deadlines: new Map([
          ['set', at],
          ['unset', null],
        ]),
      })
    })

    it('tell an empty value from an absent one', async () => {
      const { store } = opened()
      const { session } = await create(store, { writes: [{ field: 'a', value: '' }] })
      const absent = await store.commit({ session, guards: [{ field: 'a', equals: null }] })
      expect(absent.outcome).toBe('conflict')
      await commit(store, { session, guards: [{ field: 'a', equals: '' }] })
    })

    it('hold for names that mean something to a language', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const absent = NAMES.map((field) => ({ field, equals: null }))
      const writes = NAMES.map((field) => ({ field, value: `v:${field}` }))
      await commit(store, { session, guards: absent, writes })
      const conflict = await store.commit({ session, guards: absent })
      const fields = new Map(writes.map(({ field, value }) => [field, value]))
      expect(conflict).toEqual({ outcome: 'conflict', fields, deadlines: new Map() })
    })

    it('compare with the record before this commit, not with its own writes', async () => {
      const { store } = opened()
      const { session } = await create(store, { writes: [{ field: 'v', value: '1' }] })
      const step = {
        session,
        guards: [{ field: 'v', equals: '1' }],
        writes: [{ field: 'v', value: '2' }],
      }
      await commit(store, step)
      const again = await store.commit(step)
      expect(again).toMatchObject({ outcome: 'conflict', fields: new Map([['v', '2']]) })
    })

    it('let exactly one of many racing commits through', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const guards = [{ field: 'owner', equals: null }]
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.commit({ session, guards, writes: [{ field: 'owner', value: String(index) }] }),
        ),
      )
      const winner = results.findIndex((result) => result.outcome === 'committed')
      expect(results.filter((result) => result.outcome === 'committed')).toHaveLength(1)
      for (const [index, result] of results.entries()) {
        if (index === winner) continue
        const fields = new Map([['owner', String(winner)]])
        expect(result).toEqual({ outcome: 'conflict', fields, deadlines: new Map() })
      }
    })
  })
}
