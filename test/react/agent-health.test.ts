import { expect, test } from 'vitest'
import { agentHealth, IDLE, type Heard } from '../../src/react/agent-health.ts'

const run = (id: string, status: Heard['status'], updatedAt: number): Heard => ({
  id,
  status,
  updatedAt,
})

test('of several runs the one that lives counts, and of those the latest; where none lives, how the last one ended [R5]', () => {
  const told = (...runs: Heard[]) => agentHealth(runs, IDLE)
  expect(told()).toBe(IDLE)
  expect(told(run('a', 'streaming', 1), run('b', 'finished', 2))).toEqual({
    state: 'streaming',
    since: 1,
    run: 'a',
  })
  expect(told(run('a', 'streaming', 1), run('b', 'waiting', 2)).run).toBe('b')
  expect(told(run('a', 'finished', 1), run('b', 'lost', 2))).toEqual({
    state: 'lost',
    since: 2,
    run: 'b',
  })
  for (const status of ['finished', 'failed', 'cancelled'] as const)
    expect(told(run('a', 'lost', 1), run('b', status, 2))).toMatchObject({
      state: 'idle',
      run: 'b',
    })
})

test('since when it is so is when it became so, however often it is heard of; another run begins anew', () => {
  const first = agentHealth([run('a', 'thinking', 10)], IDLE)
  const later = agentHealth([run('a', 'thinking', 20)], first)
  expect(later.since).toBe(10)
  expect(agentHealth([run('a', 'streaming', 30)], later).since).toBe(30)
  expect(agentHealth([run('b', 'thinking', 40)], later).since).toBe(40)
})
