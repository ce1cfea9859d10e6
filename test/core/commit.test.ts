import { expect, test } from 'vitest'
import { run, type Transition } from '../../src/core/commit.ts'
import type { CommitResult, Store } from '../../src/core/store.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { refusal, SESSION, World } from './world.ts'

/** Counts by a field: reads nothing, guesses 0, and learns. */
const increment = (field = 'n'): Transition<number> => ({
  session: SESSION,
  decide: (known) => {
    const text = known.fields.get(field) ?? null
    const next = Number(text ?? 0) + 1
    return {
      commit: { guards: [{ field, equals: text }], writes: [{ field, value: String(next) }] },
      answer: () => next,
    }
  },
})

async function open() {
  const world = new World()
  await world.session()
  return world
}

test('a conflict teaches what was wrong, and the second attempt is right', async () => {
  const { store } = await open()
  expect(await run(store, increment())).toBe(1)
  expect(await run(store, increment())).toBe(2)
})

test('many at once each get through, and nothing is lost', async () => {
  const { store } = await open()
  const all = await Promise.all(Array.from({ length: 5 }, () => run(store, increment())))
  expect(all.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
})

test('who is overtaken every time gives up after a bounded number of attempts, with nothing done', async () => {
  const world = await open()
  let attempts = 0
  const overtaken: Pick<Store, 'commit' | 'fields'> = {
    fields: (session, names) => world.store.fields(session, names),
    commit: async (request) => {
      attempts++
      await run(world.store, increment())
      return world.store.commit(request)
    },
  }
  expect(await refusal(run(overtaken as Store, increment()))).toBe('contention')
  expect(attempts).toBe(8)
  expect(await world.field('n')).toBe('8')
})

test('what is not there is not found, whether it reads first or not', async () => {
  const { store } = new World()
  expect(await refusal(run(store, increment()))).toBe('session_not_found')
  expect(await refusal(run(store, { ...increment(), reads: ['n'] }))).toBe('session_not_found')
})

test('fields that are read first are known at the first decision, and the absent ones known to be absent', async () => {
  const { store } = await open()
  await run(store, increment('there'))
  const seen: unknown[] = []
  await run(store, {
    session: SESSION,
    reads: ['there', 'absent'],
    decide: ({ fields }) => {
      seen.push(Object.fromEntries(fields))
      return { done: undefined }
    },
  })
  expect(seen).toEqual([{ there: '1', absent: null }])
})

test('what the store throws reaches the caller unchanged, and is not tried again: an unknown outcome stays one', async () => {
  const world = await open()
  let attempts = 0
  const unknown = new HeldlineError('outcome_unknown', 'the answer was lost')
  world.store.commit = (): Promise<CommitResult> => {
    attempts++
    return Promise.reject(unknown)
  }
  await expect(run(world.store, increment())).rejects.toBe(unknown)
  expect(attempts).toBe(1)
})

test('a transition that refuses has committed nothing', async () => {
  const world = await open()
  const refused: Transition<void> = {
    session: SESSION,
    decide: () => {
      throw new HeldlineError('forbidden', 'no')
    },
  }
  expect(await refusal(run(world.store, refused))).toBe('forbidden')
  expect(await world.log()).toHaveLength(1)
})

test('what names the next fields to read is read first, and they are known at the next decision', async () => {
  const { store } = await open()
  await run(store, increment('which'))
  await run(store, increment('field-1'))
  const follow: Transition<string | null> = {
    session: SESSION,
    reads: ['which'],
    decide: ({ fields }) => {
      const name = `field-${fields.get('which')}`
      const value = fields.get(name)
      return value === undefined ? { read: [name] } : { done: value }
    },
  }
  expect(await run(store, follow)).toBe('1')
})

test('what is read in between takes no attempt from whoever is overtaken; reads without end are given up', async () => {
  const { store } = await open()
  const names = Array.from({ length: 6 }, (_, n) => `field-${n}`)
  const patient: Transition<number> = {
    ...increment(),
    decide: (known) => {
      const next = names.find((name) => !known.fields.has(name))
      return next === undefined ? increment().decide(known) : { read: [next] }
    },
  }
  let overtaken = 7
  const busy: Pick<Store, 'commit' | 'fields'> = {
    fields: (session, read) => store.fields(session, read),
    commit: async (request) => {
      if (overtaken-- > 0) await run(store, increment())
      return store.commit(request)
    },
  }
  expect(await run(busy, patient)).toBe(8)
  const endless: Transition<void> = { session: SESSION, decide: () => ({ read: ['again'] }) }
  expect(await refusal(run(store, endless))).toBe('contention')
})
