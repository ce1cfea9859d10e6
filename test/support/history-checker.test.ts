import { expect, test } from 'vitest'
import type { Fact, Seen } from './history.ts'
import { checkHistory, parseHistory, type CheckOptions, type Recorded } from './history-checker.ts'

const EPOCH = 'epoch-0001'
const tag = (serial: number, fork = '') => (serial === 0 ? '--------' : `tag${fork}${serial}`)

function seen(serial: number, change: Partial<Seen> = {}): Seen {
  const prev = tag(serial - 1)
  return {
    epoch: EPOCH,
    serial,
    tag: tag(serial),
    prev,
    id: `e${serial}`,
    crc: `c${serial}`,
    ...change,
  }
}

const event = (serial: number, change: Partial<Seen> = {}): Fact => ({
  kind: 'event',
  ...seen(serial, change),
})
const attach = (serial: number | null, fork = ''): Fact => ({
  kind: 'attach',
  node: 'n1',
  position: serial === null ? null : `${EPOCH}.${serial}.${tag(serial, fork)}`,
})
const snapshot = (serial: number, since: number | null = null): Fact => ({
  kind: 'snapshot',
  position: `${EPOCH}.${serial}.${tag(serial)}`,
  since,
})
const reset: Fact = { kind: 'reset', reason: 'fork', floor: 0, head: '', position: '' }
const invoke = (id: string): Fact => ({ kind: 'append.invoke', id })
const ok = (id: string, serial: number | null): Fact => ({
  kind: 'append.ok',
  id,
  epoch: EPOCH,
  serial,
  mode: 'fsync',
})
const refused = (id: string, code = 'forbidden'): Fact => ({ kind: 'append.refused', id, code })
const unknown = (id: string): Fact => ({ kind: 'append.unknown', id, why: 'outcome_unknown' })
const history = (events: readonly Seen[], node = 'n1'): Fact => ({ kind: 'history', node, events })

/** Somebody sent all that is in a log of so many events, and all of it was acknowledged. */
function sent(count: number): [string, Fact][] {
  return Array.from({ length: count }, (_, i) => i + 1).flatMap((serial): [string, Fact][] => [
    ['writer', invoke(`e${serial}`)],
    ['writer', ok(`e${serial}`, serial)],
  ])
}

const log = (count: number, from = 1) =>
  Array.from({ length: count - from + 1 }, (_, i) => seen(from + i))

/** The rules that are broken. */
function broken(
  facts: readonly (readonly [string, Fact, string?])[],
  options: Partial<CheckOptions> = {},
): string[] {
  const recorded: Recorded[] = facts.map(([who, fact, session = 's'], ms) => ({
    who,
    session,
    ms,
    ...fact,
  }))
  const report = checkHistory(recorded, { keepsAcknowledged: true, ...options })
  return report.violations.map(({ rule }) => rule)
}

test('a run in which all is well breaks no rule, whatever was cut, reset, folded or trimmed', () => {
  expect(
    broken([
      ...sent(6),
      ['a', attach(null)],
      ['a', snapshot(2)],
      ['a', event(3)],
      ['a', attach(3)],
      ['a', event(4)],
      ['a', snapshot(6, 4)],
      ['b', attach(0)],
      ['b', event(1, { tag: 'lost', id: 'x1' })],
      ['b', reset],
      ['b', snapshot(5)],
      ['b', event(6)],
      ['test', history(log(6, 3))],
      ['test', history(log(6, 4), 'n2')],
    ]),
  ).toEqual([])
})

test.each([
  ['two nodes that give different logs', [history([seen(1), seen(2, { crc: 'other' })], 'n2')]],
])('C1: %s', (_, more) => {
  const facts = [...sent(2), ['test', history(log(2))] as const]
  expect(broken([...facts, ...more.map((fact) => ['test', fact] as const)])).toEqual(['C1'])
})

test('C1: a reader that holds another content than the log, and was not reset', () => {
  const facts = [...sent(3), ['test', history(log(3))] as const, ['a', attach(1)] as const]
  const forked = event(2, { tag: tag(2, 'x'), crc: 'other' })
  expect(broken([...facts, ['a', forked]])).toContain('C1')
  const after = event(3, { prev: tag(2, 'x') })
  expect(broken([...facts, ['a', forked], ['a', after]])).toEqual(['C1'])
  // The same, with a reset: nothing is wrong.
  expect(broken([...facts, ['a', forked], ['a', reset], ['a', snapshot(3)]])).toEqual([])
})

test('C1: a reader that holds what the log does not', () => {
  const lost = [1, 2].map((serial) => ['a', event(serial)] as const)
  const facts = [...sent(2).slice(0, 2), ['test', history(log(1))] as const]
  expect(broken([...facts, ['a', attach(0)], ...lost])).toContain('C1')
})

test('C2: a hole, a repeat, or another predecessor than the one that is held', () => {
  const facts = [...sent(4), ['test', history(log(4))] as const, ['a', attach(1)] as const]
  const line = (...events: Fact[]) =>
    broken([...facts, ...events.map((fact) => ['a', fact] as const)])
  expect(line(event(2), event(3), event(4))).toEqual([])
  expect(line(event(3), event(4))).toEqual(['C2'])
  expect(line(event(2), event(2), event(3), event(4))).toEqual(['C2'])
  expect(line(event(2), event(3, { prev: 'other' }), event(4))).toEqual(['C2'])
})

test('C2: a log with a hole', () => {
  expect(broken([...sent(3), ['test', history([seen(1), seen(3)])]])).toContain('C2')
})

test('C3: what was acknowledged and is not there, in a mode that promises it', () => {
  const facts = [...sent(2), ['w', invoke('e3')] as const, ['w', ok('e3', 3)] as const]
  const all = [...facts, ['test', history(log(2))] as const]
  expect(broken(all)).toEqual(['C3'])
  expect(broken(all, { keepsAcknowledged: false })).toEqual([])
  // Below the floor it may be gone.
  expect(broken([...sent(5), ['test', history(log(5, 4))]])).toEqual([])
})

test('what was lost where the mode allows it is counted', () => {
  const recorded = sent(2).map(([who, fact], ms) => ({ who, session: 's', ms, ...fact }))
  const all = [...recorded, { who: 't', session: 's', ms: 9, ...history(log(1)) }] as Recorded[]
  expect(checkHistory(all, { keepsAcknowledged: false }).counts).toMatchObject({
    acknowledged: 2,
    lost: 1,
  })
})

test('C4: what a sender sent after an acknowledgement, and stands before it', () => {
  const [first, second] = [seen(1, { id: 'late' }), seen(2, { id: 'early' })]
  const facts: [string, Fact][] = [
    ['w', invoke('early')],
    ['w', ok('early', 2)],
    ['w', invoke('late')],
    ['w', ok('late', 1)],
    ['test', history([first, second])],
  ]
  expect(broken(facts)).toEqual(['C4'])
  // At once, or by different senders, any order will do.
  const [a, b, c, d, e] = facts as [
    (typeof facts)[0],
    (typeof facts)[0],
    (typeof facts)[0],
    (typeof facts)[0],
    (typeof facts)[0],
  ]
  expect(broken([a, c, b, d, e])).toEqual([])
  expect(broken([a, b, ['v', c[1]], ['v', d[1]], e])).toEqual([])
})

test('C5: content after a resume that contradicts what was held, or a resume from another place', () => {
  const facts = [...sent(3), ['test', history(log(3))] as const, ['a', attach(1)] as const]
  const line = (...events: Fact[]) =>
    broken([...facts, ...events.map((fact) => ['a', fact] as const)])
  expect(line(event(2), attach(2), event(3))).toEqual([])
  expect(line(event(2), attach(1), event(2), event(3))).toEqual(['C5'])
  expect(line(event(2), event(3, { tag: 'other' }), attach(2), event(3))).toContain('C5')
})

test('C6: one id twice, one id after a refusal, one id at another serial than was said', () => {
  const twice = history([seen(1), seen(2, { id: 'e1' })])
  expect(broken([...sent(1), ['test', twice]])).toContain('C6')
  expect(
    broken([
      ['w', invoke('e1')],
      ['w', refused('e1')],
      ['t', history(log(1))],
    ]),
  ).toEqual(['C6'])
  expect(
    broken([
      ['w', invoke('e1')],
      ['w', ok('e1', 7)],
      ['t', history(log(1))],
    ]),
  ).toEqual(['C6'])
})

test('an unknown outcome allows both, and a retry may learn which', () => {
  const asked: [string, Fact][] = [
    ['w', invoke('e1')],
    ['w', unknown('e1')],
  ]
  expect(broken([...asked, ['t', history(log(1))]])).toEqual([])
  expect(broken([...asked, ['t', history([])]])).toEqual([])
  const again: [string, Fact][] = [
    ['w', invoke('e1')],
    ['w', ok('e1', 1)],
  ]
  expect(broken([...asked, ...again, ['t', history(log(1))]])).toEqual([])
})

test('C7: a reader that is not at the head, and an append without an answer', () => {
  const behind = [...sent(2), ['a', attach(0)], ['a', event(1)], ['t', history(log(2))]] as const
  expect(broken(behind)).toEqual(['C7'])
  expect(broken(behind, { gone: new Set(['a']) })).toEqual([])
  expect(
    broken([
      ['w', invoke('e9')],
      ['t', history([])],
    ]),
  ).toEqual(['C7'])
})

test('C8: an id that nobody sent, or that was sent to another session', () => {
  expect(broken([['t', history(log(1))]])).toEqual(['C8'])
  const elsewhere: [string, Fact, string?][] = [
    ['w', invoke('e1'), 'other'],
    ['w', unknown('e1'), 'other'],
  ]
  expect(broken([...elsewhere, ['t', history(log(1))]])).toEqual(['C8'])
  expect(broken([['t', history([seen(1, { id: null })])]])).toEqual([])
})

test('C12: an answer or a close that is not of the tables, and whatever nobody caught', () => {
  const facts = (fact: Fact): [string, Fact][] => [
    ['w', invoke('e1')],
    ['w', fact],
    ['t', history([])],
  ]
  expect(broken(facts(refused('e1')))).toEqual([])
  expect(broken(facts(refused('e1', 'oops')))).toEqual(['C12'])
  expect(broken(facts(refused('e1', 'internal')))).toEqual(['C12'])
  expect(broken([['a', { kind: 'close', code: 4508 }]])).toEqual([])
  expect(broken([['a', { kind: 'close', code: 1010 }]])).toEqual(['C12'])
  const uncaught: Recorded = {
    kind: 'uncaught',
    ms: 0,
    who: 'n1',
    session: 's',
    error: 'TypeError',
  }
  const { violations } = checkHistory([uncaught], { keepsAcknowledged: true })
  expect(violations.map(({ rule }) => rule)).toEqual(['C12'])
})

test('sessions are judged each by itself', () => {
  const other = sent(1).map(([who, fact]) => [who, fact, 's'] as const)
  const facts = [...other, ['a', attach(0), 's'], ['a', event(1), 's'], ['t', history(log(1)), 's']]
  const second = [['a', attach(5), 'r'] as const]
  expect(broken([...(facts as [string, Fact, string][]), ...second])).toEqual([])
})

test('a history is read back from its lines', () => {
  const recorded: Recorded[] = sent(2).map(([who, fact], ms) => ({
    who,
    session: 's',
    ms,
    ...fact,
  }))
  const lines = recorded.map((entry) => JSON.stringify(entry)).join('\n')
  expect(parseHistory(`${lines}\n`)).toEqual(recorded)
})
