import { expect, test } from 'vitest'
import { render, testsOf, unshown } from '../scripts/requirements.ts'

const report = (status: string) => ({
  testResults: [
    {
      name: '/root/test/core/runs.test.ts',
      assertionResults: [
        { fullName: 'a lost run is adopted (R6, S0-11)', status },
        { fullName: 'something else', status: 'passed' },
      ],
    },
  ],
})
const SHOWN = 'test/core/runs.test.ts › a lost run is adopted (R6, S0-11)'
const document = [
  '| id | what must hold | shown by |',
  '|---|---|---|',
  '| R6 | a run is fenced | – |',
  '| R60 | another row | – |',
].join('\n')

test('a row is shown by the tests that passed and carry its id', () => {
  const rendered = render(document, testsOf(report('passed'), '/root'))
  expect(rendered).toContain(`| R6 | a run is fenced | ${SHOWN} |`)
  expect(rendered).toContain('| R60 | another row | – |')
  expect(render(rendered, testsOf(report('passed'), '/root'))).toBe(rendered)
  expect(render(rendered, testsOf(report('skipped'), '/root'))).toBe(document)
})

test('a test that is named, and failed or is not there, is told; one that is skipped is there', () => {
  const rendered = render(document, testsOf(report('passed'), '/root'))
  expect(unshown(rendered, testsOf(report('passed'), '/root'))).toEqual([])
  expect(unshown(rendered, testsOf(report('skipped'), '/root'))).toEqual([])
  expect(unshown(rendered, testsOf(report('failed'), '/root'))).toEqual([`R6: ${SHOWN}`])
  expect(unshown(rendered, [])).toEqual([`R6: ${SHOWN}`])
})
