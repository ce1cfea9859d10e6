import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/core/commit.ts'
import type { CommitRequest } from '../../src/core/store.ts'
import { adoptRun, startRun } from '../../src/core/transitions/run-start.ts'
import { cancelRun } from '../../src/core/transitions/run-end.ts'
import { acknowledge, failTry, replayDelivery } from '../../src/core/transitions/delivery.ts'
import { parseListed } from '../../src/core/transitions/delivery-record.ts'
import { cancelInput } from '../../src/core/transitions/input-end.ts'
import { reserveEffect } from '../../src/core/transitions/effect.ts'
import { recordEffect } from '../../src/core/transitions/effect-end.ts'
import { receiveInput, type Received } from '../../src/core/transitions/input.ts'
import { askQuestion } from '../../src/core/transitions/question.ts'
import { withdrawQuestion } from '../../src/core/transitions/question-end.ts'
import {
  REMEMBERED,
  REMEMBERED_PAGE,
  REMEMBERED_PAGES,
} from '../../src/core/transitions/remembered.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { refusal } from '../core/world.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import { endRun as endFinished } from '../support/ended-run.ts'
import { create } from './store/kit.ts'
import type { OpenedStore, OpenStore } from './store.ts'

const BY = { subject: 'ada' }
const AGENT = { subject: 'key:agent' }
/** With those of the page that is being filled; nothing more may be kept of what is over. */
const BOUND = (REMEMBERED_PAGES + 1) * REMEMBERED_PAGE

/**
 * That a session's record does not grow with its age, and keeps its promises about what came lately.
 * @param count how many come: more than are remembered
 */
export function describeRemembered(name: string, open: OpenStore, count: number): void {
  describe(`what a record remembers: ${name}`, () => {
    const random = new SystemRandom()
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())

    const session = async (): Promise<SessionId> => (await create(opened.store)).session

    const startOf = (id: SessionId, n: number) => {
      const rest = { producer: 'p', leaseMs: 25_000, deliverTo: [], deliverAfterMs: 1 }
      const info = { agent: null, trigger: `t${n}`, ...rest }
      return startRun({ session: id, run: `r${n}`, by: AGENT, maxLive: 100, info }, random)
    }
    const start = async (id: SessionId, n: number) =>
      (await run(opened.store, startOf(id, n))).started
    const endRun = (id: SessionId, n: number) =>
      run(
        opened.store,
        cancelRun({ session: id, run: `r${n}`, by: BY }, { status: 'cancelled' }, random),
      )
    const send = (id: SessionId, n: number, rawData = '1'): Promise<Received> => {
      const words = { mode: 'queue', run: null, rawParts: null, parent: undefined } as const
      const limits = { expiresInMs: null, noticeAfterMs: null, maxWaiting: 100, maxBytes: 1e6 }
      const about = { session: id, input: `i${n}`, by: BY, nowMs: 0 }
      return run(opened.store, receiveInput({ ...about, ...words, ...limits, rawData }, random))
    }
    const cancel = (id: SessionId, n: number) =>
      run(opened.store, cancelInput({ session: id, input: `i${n}`, by: BY }, random))
    const ask = (id: SessionId, n: number, maxOpen = 100) => {
      const words = { prompt: 'Which?', rawSchema: null, rawData: null, expiresInMs: null }
      const limits = { nowMs: 0, maxOpen, maxBytes: 1e6 }
      const about = { session: id, question: `q${n}`, claim: null, by: AGENT }
      return run(opened.store, askQuestion({ ...about, ...words, ...limits }, random))
    }
    const withdraw = (id: SessionId, n: number) => {
      const about = { session: id, question: `q${n}`, by: AGENT, epoch: null }
      return run(opened.store, withdrawQuestion(about, random))
    }

    /** How many of so many fields are set. */
    async function kept(
      id: SessionId,
      names: (n: number) => string,
      upTo = count,
    ): Promise<number> {
      let found = 0
      for (let from = 0; from < upTo; from += 1000) {
        const some = Array.from({ length: Math.min(1000, upTo - from) }, (_, i) => names(from + i))
        const fields = await opened.store.fields(id, some)
        for (const value of fields?.values() ?? []) if (value !== null) found++
      }
      return found
    }

    /** Two at a time, as from two nodes. */
    async function each(task: (n: number) => Promise<unknown>, upTo = count): Promise<void> {
      for (let n = 0; n < upTo; n += 2) await Promise.all([task(n), task(n + 1)])
    }

    test('[P-10.1] runs that are over, with their triggers, but for the latest; a trigger of those still has its run', async () => {
      const id = await session()
      await each(async (n) => {
        await start(id, n)
        // The first one lives on through all of it.
        if (n > 0) await endRun(id, n)
      })
      for (const prefix of ['run:r', 'run-info:r', 'trigger:t']) {
        const found = await kept(id, (n) => `${prefix}${n}`)
        expect(found, prefix).toBeLessThanOrEqual(BOUND + 1)
        expect(found, prefix).toBeGreaterThanOrEqual(REMEMBERED)
      }
      const oldest = count - REMEMBERED
      expect(await start(id, oldest)).toMatchObject({ created: false, status: 'cancelled' })
      expect(await start(id, 0)).toMatchObject({ created: false, status: 'thinking' })
      expect(await start(id, 1)).toMatchObject({ created: true })
      expect(await refusal(endRun(id, 2))).toBe('run_not_found')
    }, 120_000)

    test('[P-10.1] [P-13.1] [P-13.2] a run that has the id of a forgotten one has a higher epoch: no process and no effect of that one is its own, and none is done again', async () => {
      const id = await session()
      const { store } = opened
      const reserve = (n: number, epoch: number, effect = 'pay') => {
        const words = { effect, tool: null, by: AGENT, idempotencyKey: 'k' }
        const claim = { run: `r${n}`, epoch }
        const about = { session: id, claim, maxOpenEffects: 100 }
        return run(store, reserveEffect({ ...about, ...words }, random))
      }
      await start(id, 0)
      await run(
        store,
        adoptRun({ session: id, run: 'r0', producer: 'p2', by: AGENT, maxLive: 100 }, random),
      )
      expect(await reserve(0, 2)).toMatchObject({ status: 'reserved', created: true })
      expect(await reserve(0, 2, 'mail')).toMatchObject({ status: 'reserved', created: true })
      const claim = { run: 'r0', epoch: 2 }
      const sent = { session: id, effect: 'mail', claim, result: '{"to": "ada"}', by: AGENT }
      expect(await run(store, recordEffect(sent, random))).toBe(true)
      await endRun(id, 0)
      for (let n = 1; n <= BOUND; n++) {
        await start(id, n)
        await endRun(id, n)
      }
      expect(await start(id, 0)).toMatchObject({ created: true, epoch: 3 })
      expect(await refusal(reserve(0, 2))).toBe('run_fenced')
      expect(await reserve(0, 3)).toMatchObject({ status: 'unknown', created: false })
      const done = { status: 'done', result: '{"to": "ada"}', created: false }
      expect(await reserve(0, 3, 'mail')).toMatchObject(done)
    }, 120_000)

    test('[P-10.1] those that came last are remembered, however many of before are not over', async () => {
      const id = await session()
      for (let n = 0; n < 100; n++) await ask(id, n)
      const upTo = BOUND + 150
      for (let n = 100; n < upTo; n++) {
        await ask(id, n, 101)
        await withdraw(id, n)
        // Where pages are forgotten, and those of it that stay are many.
        if (n < BOUND || n % 10 > 0) continue
        expect(await ask(id, n - REMEMBERED + 1, 101)).toMatchObject({ status: 'withdrawn' })
      }
      expect(await kept(id, (n) => `question:q${n}`, 100)).toBe(100)
      expect(await kept(id, (n) => `question:q${n}`, upTo)).toBeLessThan(upTo)
    }, 120_000)

    test('[P-11.1] [P-11.4] inputs that are over, but for the latest; one that waits stays', async () => {
      const id = await session()
      await each(async (n) => {
        await send(id, n)
        if (n > 0) await cancel(id, n)
      })
      for (const prefix of ['input:i', 'trigger:i']) {
        const found = await kept(id, (n) => `${prefix}${n}`)
        expect(found).toBeLessThanOrEqual(BOUND + 1)
        expect(found).toBeGreaterThanOrEqual(REMEMBERED)
      }
      const oldest = count - REMEMBERED
      expect(await send(id, oldest)).toMatchObject({ created: false, outcome: 'queued' })
      expect(await refusal(send(id, oldest, '2'))).toBe('idempotency_conflict')
      expect(await send(id, 0)).toMatchObject({ created: false })
      // The record has forgotten it; the store has not, for a while yet.
      expect(await send(id, 1)).toMatchObject({ created: false, outcome: 'queued' })
      expect(await refusal(send(id, 1, '2'))).toBe('idempotency_conflict')
      expect(await cancel(id, 0)).toEqual({ cancelled: true })
    }, 120_000)

    test('[P-11.4] cancels of inputs that never came', async () => {
      const id = await session()
      await each((n) => cancel(id, n))
      expect(await kept(id, (n) => `trigger:i${n}`)).toBeLessThanOrEqual(BOUND)
      expect(await send(id, count - REMEMBERED)).toMatchObject({ outcome: 'too_late' })
      expect(await send(id, 1)).toMatchObject({ outcome: 'queued', created: true })
    }, 120_000)

    test('[P-11.5] questions that are over, but for the latest; one that is open stays', async () => {
      const id = await session()
      await each(async (n) => {
        await ask(id, n)
        if (n > 0) await withdraw(id, n)
      })
      for (const field of ['question', 'question-info']) {
        const found = await kept(id, (n) => `${field}:q${n}`)
        expect(found).toBeLessThanOrEqual(BOUND + 1)
        expect(found).toBeGreaterThanOrEqual(REMEMBERED)
      }
      expect(await ask(id, count - REMEMBERED)).toEqual({ created: false, status: 'withdrawn' })
      expect(await ask(id, 0)).toEqual({ created: false, status: 'open' })
      expect(await refusal(withdraw(id, 1))).toBe('question_not_found')
      expect(await ask(id, 1)).toEqual({ created: true, status: 'open' })
    }, 120_000)

    test('[P-15.4] deliveries that are acknowledged, but for the latest; one that people see as failed stays', async () => {
      const id = await session()
      const made: string[] = []
      const { store } = opened
      for (let n = 0; n < count; n++) {
        await endFinished(store, random, id, { name: `r${n}`, deliverTo: ['ada'] })
        const listed = (await store.fields(id, ['deliveries']))?.get('deliveries') ?? null
        const delivery = parseListed(listed).at(-1)?.id ?? ''
        made.push(delivery)
        const failure = { session: id, id: delivery, attempts: 0, reason: 'x', againInMs: null }
        if (n === 0) await run(store, failTry(failure, random))
        else await run(store, acknowledge({ session: id, ids: [delivery] }, 'read', random))
      }
      const found = await kept(id, (n) => `delivery:${made[n]}`)
      expect(found).toBeLessThanOrEqual(BOUND + 1)
      expect(found).toBeGreaterThanOrEqual(REMEMBERED)
      const replay = (n: number) =>
        run(store, replayDelivery({ session: id, id: made[n] ?? '' }, random))
      expect(await refusal(replay(count - REMEMBERED))).toBe('delivery_closed')
      expect(await refusal(replay(1))).toBe('delivery_not_found')
      expect(await replay(0)).toMatchObject({ run: 'r0', status: 'pending' })
    }, 120_000)

    describe('a lost run that is adopted while its page is forgotten', () => {
      // Full pages, and a page more: the next start forgets the first page.
      const full = BOUND

      async function lost(): Promise<SessionId> {
        const id = await session()
        await each(async (n) => {
          await start(id, n)
          const text = [{ field: `run:r${n}`, value: '1 lost' }]
          const live = [{ field: 'live', value: null }]
          await opened.store.commit({ session: id, writes: [...text, ...live] })
        }, full)
        return id
      }
      const adopt = (id: SessionId) =>
        adoptRun({ session: id, run: 'r7', producer: 'p2', by: AGENT, maxLive: 100 }, random)
      /** The store, in which something happens once, right after this field was read. */
      const storeWith = (field: string, happens: () => Promise<unknown>) => {
        const { store } = opened
        let happened = false
        return {
          commit: (request: CommitRequest) => store.commit(request),
          fields: async (id: SessionId, names: readonly string[]) => {
            const read = await store.fields(id, names)
            if (names.includes(field) && !happened) {
              happened = true
              await happens()
            }
            return read
          },
        }
      }
      const found = async (id: SessionId): Promise<(string | null)[]> => {
        const names = ['run:r7', 'trigger:t7', 'run:r8']
        const fields = await opened.store.fields(id, names)
        return names.map((name) => fields?.get(name) ?? null)
      }

      test('is the adopter’s, where that was first', async () => {
        const id = await lost()
        const store = storeWith('run:r7', () => run(opened.store, adopt(id)))
        const { started } = await run(store, startOf(id, full))
        expect(started).toMatchObject({ created: true })
        expect(await found(id)).toEqual(['2 thinking', 'r7', null])
      }, 120_000)

      test('is gone, where that came too late', async () => {
        const id = await lost()
        const store = storeWith('run:r7', () => start(id, full))
        expect(await refusal(run(store, adopt(id)))).toBe('run_not_found')
        expect(await found(id)).toEqual([null, null, null])
      }, 120_000)
    })
  })
}
