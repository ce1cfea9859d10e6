import { expect, test } from 'vitest'
import { tally } from '../scripts/tally.ts'

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
})

test('counts tests by their outcome, and everything not run as skipped', () => {
  const testResults = [
    file('passed', 'passed', 'passed', 'skipped'),
    file('failed', 'passed', 'failed', 'todo', 'pending'),
  ]
  expect(tally({ testResults }, 1)).toEqual({ passed: 3, failed: 1, skipped: 3 })
})

test('a file that could not be loaded is one failure', () => {
  const testResults = [file('passed', 'passed'), file('failed')]
  expect(tally({ testResults }, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 })
})

test('an error outside any test is one failure', () => {
  expect(tally({ testResults: [file('passed', 'passed')] }, 1).failed).toBe(1)
})

test('a run that died without a report failed', () => {
  expect(tally(undefined, null)).toEqual({ passed: 0, failed: 1, skipped: 0 })
})

test('a run without a test failed', () => {
  expect(tally({ testResults: [] }, 0).failed).toBe(1)
  expect(tally({ testResults: [file('passed', 'skipped')] }, 0).failed).toBe(1)
})
