import { describe, expect, test } from 'vitest'
import { OneATurn } from '../../src/core/one-a-turn.ts'
import type { SessionId } from '../../src/protocol/ids.ts'

const [A, B, C] = ['a', 'b', 'c'] as SessionId[] as [SessionId, SessionId, SessionId]

/** Turns of an event loop, by hand. */
function open(maxAtOnce = 4, lasts = Promise.resolve()) {
  let deferred: (() => void)[] = []
  const begun: string[] = []
  const clock = { defer: (task: () => void) => void deferred.push(task) }
  const queue = new OneATurn<string>(clock, maxAtOnce, (session, reason) => {
    begun.push(`${session} ${reason}`)
    return lasts
  })
  /** @returns what was begun in it */
  const turn = async (): Promise<string[]> => {
    const tasks = deferred
    deferred = []
    for (const task of tasks) task()
    await Promise.resolve().then(() => undefined)
    return begun.splice(0)
  }
  return { queue, turn, quiet: () => deferred.length === 0 }
}

describe('sessions that come to the same point together [invariant 8]', () => {
  test('are begun with one a turn, in the order in which they came', async () => {
    const { queue, turn, quiet } = open()
    for (const session of [A, B, C]) queue.set(session, '1')
    expect([await turn(), await turn(), await turn()]).toEqual([['a 1'], ['b 1'], ['c 1']])
    expect(quiet()).toBe(true)
  })

  test('are worked on once for what came while they waited, and again for what came after', async () => {
    const { queue, turn, quiet } = open()
    queue.set(A, '1')
    queue.set(B, '1')
    queue.set(A, '2')
    expect([queue.size, queue.get(A), queue.get(C)]).toEqual([2, '2', undefined])
    expect(await turn()).toEqual(['a 2'])
    queue.set(A, '3')
    expect([await turn(), await turn()]).toEqual([['b 1'], ['a 3']])
    expect(quiet()).toBe(true)
  })

  test('are not more than so many at once, and never one of them twice', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const { queue, turn, quiet } = open(2, promise)
    queue.set(A, '1')
    expect(await turn()).toEqual(['a 1'])
    queue.set(A, '2')
    queue.set(B, '1')
    queue.set(C, '1')
    expect([await turn(), await turn()]).toEqual([['b 1'], []])
    expect(quiet()).toBe(true)
    resolve()
    await promise
    expect([await turn(), await turn()]).toEqual([['a 2'], ['c 1']])
  })

  test('are let go of one by one, and when it is over', async () => {
    const { queue, turn, quiet } = open()
    for (const session of [A, B, C]) queue.set(session, '1')
    queue.delete(A)
    expect(await turn()).toEqual(['b 1'])
    queue.clear()
    expect(await turn()).toEqual([])
    expect(quiet()).toBe(true)
  })
})
