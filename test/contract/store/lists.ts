import { describe, expect, it } from 'vitest'
import type { ListedSession } from '../../../src/core/store.ts'
import type { SessionId } from '../../../src/protocol/ids.ts'
import type { Opened } from '../store.ts'
import { commit, create, events, headOf, newEpoch, newSession } from './kit.ts'

export function describeLists(opened: Opened): void {
  async function make(prefix: string): Promise<SessionId> {
    const session = newSession(prefix)
    await commit(opened().store, { session, create: { epoch: newEpoch() } })
    return session
  }

  /** Every page of a listing; `between` runs after each. */
  async function listAll(
    prefix: string,
    limit: number,
    between: () => Promise<unknown> = async () => null,
  ) {
    const all: ListedSession[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      const page = await opened().store.list({ cursor, limit, prefix, fields: ['a', '__proto__'] })
      expect(page.sessions.length).toBeLessThanOrEqual(limit)
      all.push(...page.sessions)
      pages++
      expect(pages, 'a listing that never ends').toBeLessThan(500)
      cursor = page.cursor
      await between()
    } while (cursor !== null)
    return all
  }

  describe('list', () => {
    it('gives each session once over pages of any size', async () => {
      const prefix = newSession('list')
      const made = await Promise.all(Array.from({ length: 11 }, () => make(prefix)))
      for (const limit of [1, 3, 11, 100]) {
        const listed = await listAll(prefix, limit)
        expect(listed.map(({ session }) => session).toSorted()).toEqual(made.toSorted())
      }
    })

    it('gives heads and the fields that were asked', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        events: events(2),
        writes: [{ field: 'a', value: '1' }],
      })
      const [listed] = await listAll(session, 10)
      const fields = new Map([
        ['a', '1'],
        ['__proto__', null],
      ])
      expect(listed).toEqual({ session, head: await headOf(store, session), fields })
    })

    it('gives only sessions with the prefix, and nothing for one that no session has', async () => {
      const prefix = newSession('list')
      const inside = await make(`${prefix}a`)
      await make(`${prefix}b`)
      expect((await listAll(`${prefix}a`, 10)).map(({ session }) => session)).toEqual([inside])
      expect(await listAll(`${prefix}_`, 10)).toEqual([])
      expect(await listAll(`${prefix}%`, 10)).toEqual([])
    })

    it('gives a session that is there from first to last exactly once, while others come and go', async () => {
      const { store } = opened()
      const prefix = newSession('list')
      const staying = await Promise.all(Array.from({ length: 12 }, () => make(prefix)))
      const passing = await Promise.all(Array.from({ length: 12 }, () => make(prefix)))
      const listed = await listAll(prefix, 2, async () => {
        const leaving = passing.pop()
        if (leaving === undefined) return
        await store.remove(leaving)
        await make(prefix)
      })
      const seen = listed.map(({ session }) => session)
      expect(seen).toHaveLength(new Set(seen).size)
      expect(seen).toEqual(expect.arrayContaining(staying))
    })

    it('finds sessions by the empty prefix too', async () => {
      const made = await make('any')
      const seen = (await listAll('', 100)).map(({ session }) => session)
      expect(seen).toContain(made)
    })
  })
}
