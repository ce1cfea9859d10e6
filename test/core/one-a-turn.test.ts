import { describe, expect, test } from 'vitest'
import { OneATurn } from '../../src/core/one-a-turn.ts'
import type { SessionId } from '../../src/protocol/ids.ts'

const [A, B, C] = ['a', 'b', 'c'] as SessionId[] as [SessionId, SessionId, SessionId]

/** Turns of an event loop, by hand. */
function open() {
  let deferred: (() => void)[] = []
  const worked: SessionId[] = []
  const work = new OneATurn({ defer: (task) => void deferred.push(task) }, (session) => {
    worked.push(session)
  })
  /** @returns what was worked on in it */
  const turn = (): SessionId[] => {
    const tasks = deferred
    deferred = []
    for (const task of tasks) task()
    return worked.splice(0)
  }
  return { work, turn, quiet: () => deferred.length === 0 }
}

describe('sessions that come to the same point together [invariant 8]', () => {
  test('are worked on one a turn, in the order in which they came', () => {
    const { work, turn, quiet } = open()
    for (const session of [A, B, C]) work.add(session)
    expect([turn(), turn(), turn()]).toEqual([[A], [B], [C]])
    expect(quiet()).toBe(true)
  })

  test('are worked on once for what came while they waited, and again for what came after', () => {
    const { work, turn, quiet } = open()
    for (const session of [A, B, A]) work.add(session)
    expect(turn()).toEqual([A])
    work.add(A)
    expect([turn(), turn()]).toEqual([[B], [A]])
    expect(quiet()).toBe(true)
  })

  test('are let go of when it is over', () => {
    const { work, turn, quiet } = open()
    work.add(A)
    work.clear()
    expect(turn()).toEqual([])
    expect(quiet()).toBe(true)
  })

  test('begin anew where nothing waited', () => {
    const { work, turn } = open()
    work.add(A)
    expect(turn()).toEqual([A])
    work.add(B)
    expect(turn()).toEqual([B])
  })
})
