import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Control } from '../../src/core/control.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { Runs } from '../../src/core/runs.ts'
import { Views } from '../../src/core/views.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { begun, delta } from '../core/run-kit.ts'
import { grant } from '../core/world.ts'
import type { OpenedStore, OpenStore } from './store.ts'
import { create } from './store/kit.ts'

const boss = grant({ subject: 'boss', kind: 'supervisor' })
const by = { subject: 'agent' }

/** Control on any store: an agent at one node, a supervisor at another. [P-14] */
export function describeControl(name: string, open: OpenStore): void {
  describe(`control: ${name}`, () => {
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())

    const nodes = async () => {
      const { session } = await create(opened.store)
      const { store } = opened
      const random = new SystemRandom()
      const keeper = { committed: () => undefined }
      const views = new Views(store, DEFAULT_LIMITS)
      const ports = {
        store,
        random,
        keeper,
        views,
        limits: DEFAULT_LIMITS,
        clock: new SystemClock(),
      }
      const runs = new Runs(ports)
      await runs.start({ session, run: 'r1', by })
      return { session, runs, views, control: new Control(ports) }
    }

    test('[R20] [S4-20] once control is taken, nothing of the agent follows, however they overtake each other', async () => {
      for (let i = 0; i < 5; i++) {
        const { session, runs, control } = await nodes()
        const say = (n: number) =>
          refused(
            runs.append({
              session,
              by,
              claim: { run: 'r1', epoch: 1 },
              drafts: [begun(`m${n}`), delta(`m${n}`)],
            }),
          )
        const told = await Promise.all([
          ...Array.from({ length: 4 }, (_, n) => say(n)),
          refused(control.take(session, boss, {})),
          ...Array.from({ length: 4 }, (_, n) => say(4 + n)),
        ])
        const expected = [null, 'not_controller', 'contention']
        expect(told.filter((code) => !expected.includes(code))).toEqual([])
        // The one who takes control is told to come again where all overtake them.
        await control.take(session, boss, {})
        expect(await say(99)).toBe('not_controller')
        const log = await typesOf(session)
        const after = log.slice(log.indexOf('control.taken'))
        expect(after).toEqual(['control.taken'])
      }
    })

    test('[R20] as many runs as may live, each in the middle of a word, are interrupted in one commit', async () => {
      const { session, runs, control, views } = await nodes()
      const many = Array.from({ length: DEFAULT_LIMITS.maxLiveRuns - 1 }, (_, i) => `more-${i}`)
      for (const run of many) {
        await runs.start({ session, run, by })
        const claim = { run, epoch: 1 }
        await runs.append({ session, by, claim, drafts: [begun(run), delta(run)] })
      }
      await control.take(session, boss, {})
      const view = await views.at(session)
      const statuses = new Set([...view.messages.values()].map(({ status }) => status))
      expect([view.messages.size, statuses]).toEqual([many.length, new Set(['interrupted'])])
      expect(new Set([...view.runs.values()].map(({ status }) => status))).toEqual(
        new Set(['thinking']),
      )
      expect((await typesOf(session)).at(-1)).toBe('control.taken')
    })

    test('[R20] of two who take control at once, one has it', async () => {
      const { session, control, views } = await nodes()
      const other = grant({ subject: 'other', kind: 'human' })
      const told = await Promise.all([
        refused(control.take(session, boss, {})),
        refused(control.take(session, other, {})),
      ])
      expect(new Set(told)).toEqual(new Set(['control_taken', null]))
      const winner = told[0] === null ? 'boss' : 'other'
      expect((await views.at(session)).controller?.subject).toBe(winner)
    })

    async function typesOf(session: SessionId): Promise<string[]> {
      const page = await opened.store.read(session, { after: 0, limit: 1000, maxBytes: 1 << 20 })
      return (page?.events ?? []).map(({ text }) => (JSON.parse(text) as { type: string }).type)
    }
  })
}

async function refused(work: Promise<unknown>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (error instanceof HeldlineError) return error.code
    throw error
  }
}
