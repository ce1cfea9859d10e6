import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  activePath,
  BRANCH_KEY,
  pathTo,
  sharedBranch,
  siblingsOf,
  type Placed,
} from '../../src/protocol/branches.ts'

/** `u1`, `u2` … are a user's; all else is an agent's. */
function tree(...said: readonly (readonly [id: string, parent: string | null])[]): Placed[] {
  return said.map(([id, parent]) => ({
    id,
    parent,
    role: id.startsWith('u') ? 'user' : 'assistant',
  }))
}
const idsOf = (messages: readonly Placed[]): string => messages.map(({ id }) => id).join(' ')
const isUser = ({ role }: Placed): boolean => role === 'user'

/** Trees as logs make them: a parent is any message, also one that is not there, comes later, or is the message itself. */
const trees = fc
  .array(fc.record({ up: fc.integer({ min: -3, max: 12 }), user: fc.boolean() }), { maxLength: 40 })
  .map((said) =>
    said.map(({ up, user }, n): Placed => {
      const parent = up === -3 ? null : up === -2 ? 'gone' : `m${n - up}`
      return { id: `m${n}`, parent, role: user ? 'user' : 'assistant' }
    }),
  )
const treesAndOne = trees
  .filter((messages) => messages.length > 0)
  .chain((messages) => fc.tuple(fc.constant(messages), fc.nat(messages.length - 1)))

/** The message above, where there is one that was started before. */
function above(messages: readonly Placed[], one: Placed): Placed | undefined {
  const at = messages.indexOf(one)
  return messages.find(({ id }, index) => id === one.parent && index < at)
}

describe('the path [P-16.2] [P-16.3]', () => {
  const regenerated = tree(['u1', null], ['a1', 'u1'], ['a2', 'u1'], ['a3', 'u1'])

  test('goes through the message that was started last', () => {
    expect(idsOf(activePath(regenerated))).toBe('u1 a3')
    expect(idsOf(activePath(tree(['u1', null], ['a1', 'u1'], ['a2', 'u1'], ['u2', 'a1'])))).toBe(
      'u1 a1 u2',
    )
  })

  test('goes through the selected message, and on from there by the newest [S3-11]', () => {
    const messages = [...regenerated, ...tree(['u2', 'a1'], ['a4', 'u2'], ['a5', 'u2'])]
    expect(idsOf(activePath(messages, 'a1'))).toBe('u1 a1 u2 a5')
    expect(idsOf(activePath(messages, 'a4'))).toBe('u1 a1 u2 a4')
    expect(idsOf(activePath(messages, 'a2'))).toBe('u1 a2')
    expect(idsOf(activePath(messages, 'u1'))).toBe('u1 a3')
  })

  test('without a selection, or with one that is not there, is that of the latest; without messages it is empty', () => {
    for (const selected of [undefined, null, 'gone']) {
      expect(idsOf(activePath(regenerated, selected))).toBe('u1 a3')
      expect(activePath([], selected)).toEqual([])
    }
    expect(pathTo(regenerated, 'gone')).toEqual([])
  })

  test('to a message holds what is above it, and no sibling of that [S3-11] [R20]', () => {
    const messages = [...regenerated, ...tree(['u2', 'a1'], ['a4', 'u2'])]
    expect(idsOf(pathTo(messages, 'u2'))).toBe('u1 a1 u2')
    expect(idsOf(pathTo(messages, 'u1'))).toBe('u1')
  })

  test('an edit begins another branch, also at the root', () => {
    const messages = tree(['u1', null], ['a1', 'u1'], ['u2', 'a1'], ['a2', 'u2'], ['u3', 'a1'])
    expect(idsOf(activePath(messages))).toBe('u1 a1 u3')
    expect(idsOf(activePath([...messages, ...tree(['u4', null])]))).toBe('u4')
  })

  test('what a person said while an agent was at it follows the answer, and hides it from nobody [R10]', () => {
    const messages = tree(['u1', null], ['u2', 'u1'], ['a1', 'u1'], ['a2', 'u2'])
    expect(idsOf(activePath(messages))).toBe('u1 a1 u2 a2')
    expect(idsOf(activePath(messages, 'a1'))).toBe('u1 a1 u2 a2')
    expect(idsOf(pathTo(messages, 'u2'))).toBe('u1 a1 u2')
    expect(idsOf(pathTo(messages, 'a1'))).toBe('u1 a1')
  })

  test('begins where a parent is not there, or was started later', () => {
    expect(idsOf(pathTo(tree(['a1', 'gone'], ['u1', 'a1']), 'u1'))).toBe('a1 u1')
    expect(idsOf(activePath(tree(['a1', 'u1'], ['u1', 'a1'])))).toBe('a1 u1')
    expect(idsOf(activePath(tree(['a1', 'a1'])))).toBe('a1')
  })

  test('of any tree goes from a root through the selected message to a leaf: each message once, each below its own, of siblings one', () => {
    fc.assert(
      fc.property(treesAndOne, ([messages, at]) => {
        const selected = messages[at] as Placed
        const path = activePath(messages, selected.id)
        expect(path).toContain(selected)
        expect(new Set(path).size).toBe(path.length)
        const [root, ...rest] = path
        expect(above(messages, root as Placed)).toBeUndefined()
        for (const one of rest) {
          const parent = above(messages, one)
          expect(path.indexOf(parent as Placed)).toBeLessThan(path.indexOf(one))
          expect(path).toContain(parent)
        }
        // Nothing is left out that could follow: each message of the path that has answers, or was gone on from, shows one of them.
        for (const one of path) {
          const below = messages.filter((other) => above(messages, other) === one)
          for (const side of [true, false]) {
            const alternatives = below.filter((other) => isUser(other) === side)
            const shown = alternatives.filter((other) => path.includes(other))
            expect(shown.length).toBe(alternatives.length > 0 ? 1 : 0)
          }
        }
      }),
    )
  })

  test('of any tree the path to a message is the beginning of the active one', () => {
    fc.assert(
      fc.property(treesAndOne, ([messages, at]) => {
        const selected = messages[at] as Placed
        const path = pathTo(messages, selected.id)
        expect(path.at(-1)).toBe(selected)
        expect(activePath(messages, selected.id).slice(0, path.length)).toEqual(path)
      }),
    )
  })

  test('costs what the messages are many, not what they are deep', () => {
    let looks = 0
    const messages = Array.from({ length: 20_000 }, (_, n) => ({
      id: `m${n}`,
      get parent(): string | null {
        looks++
        return n === 0 ? null : `m${n - 1}`
      },
      role: 'assistant' as const,
    }))
    expect(activePath(messages, 'm10')).toHaveLength(20_000)
    expect(pathTo(messages, 'm19999')).toHaveLength(20_000)
    expect(looks).toBeLessThanOrEqual(4 * messages.length)
  })
})

describe('siblings [P-16.1]', () => {
  test('are what was answered again, oldest first, and never what was said meanwhile [R20]', () => {
    const messages = tree(['u1', null], ['a1', 'u1'], ['u2', 'u1'], ['a2', 'u1'], ['a3', 'a1'])
    expect(idsOf(siblingsOf(messages, 'a2'))).toBe('a1 a2')
    expect(idsOf(siblingsOf(messages, 'u2'))).toBe('u2')
    expect(idsOf(siblingsOf(messages, 'u1'))).toBe('u1')
    expect(siblingsOf(messages, 'gone')).toEqual([])
  })

  test('of any tree: each message is among its own, and all of them name the same', () => {
    fc.assert(
      fc.property(treesAndOne, ([messages, at]) => {
        const one = messages[at] as Placed
        const siblings = siblingsOf(messages, one.id)
        expect(siblings).toContain(one)
        for (const other of messages) {
          const same = other.parent === one.parent && isUser(other) === isUser(one)
          expect(siblings.includes(other)).toBe(same)
          if (same) expect(siblingsOf(messages, other.id)).toEqual(siblings)
        }
      }),
    )
  })
})

test('the branch that all look at is a message’s id in the shared state [P-16.7]', () => {
  expect(BRANCH_KEY).toBe('branch')
  const state = (value: unknown) => new Map([[BRANCH_KEY, { value }]])
  expect(sharedBranch(state('a1'))).toBe('a1')
  for (const other of [null, 7, { id: 'a1' }]) expect(sharedBranch(state(other))).toBeNull()
  expect(sharedBranch(new Map())).toBeNull()
})
