import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { figuresOf, readResults, renderScale } from '../scripts/render-scale.ts'
import { renderEnvExample } from '../src/config.ts'

const root = new URL('..', import.meta.url).pathname
const page = readFileSync(join(root, 'docs/scale.md'), 'utf8')
const figures = figuresOf(readResults(root))

const isRow = (line: string): boolean => line.startsWith('|')
const numbersOf = (text: string): string[] => text.match(/\d[\d,.]*(?<![,.])/g) ?? []

test('what docs/scale.md says of a node is what the benchmark has measured, each figure of it [S2-13]', () => {
  // `node scripts/render-docs.ts` after a benchmark.
  expect(renderScale(page, figures)).toBe(page)
  const rows = page.split('\n').filter((line) => / B\d: /.test(line))
  expect(rows.length).toBeGreaterThan(20)
  // Sockets, sessions, events a second, fan-out and p99: one row of each at least, and more than one node.
  for (const scenario of ['B1', 'B2', 'B3', 'B6', 'B7', 'B8']) {
    expect(rows.filter((line) => line.includes(` ${scenario}: `)).length, scenario).toBeGreaterThan(
      0,
    )
  }
})

test('docs/scale.md has no number of its own: its words repeat a figure of its tables, or a setting’s default [S2-13]', () => {
  const lines = page.split('\n')
  const known = new Set([
    ...lines.filter(isRow).flatMap(numbersOf),
    ...numbersOf(renderEnvExample()),
  ])
  const words = lines
    .filter((line) => !isRow(line))
    .join('\n')
    .replaceAll(/\]\([^)]*\)/g, ']')
  const strange = numbersOf(words).filter(
    (number) => !known.has(number) && !known.has(number.replaceAll(',', '')),
  )
  expect(strange).toEqual([])
})

test('a row that no result has is told, and a figure that has moved is put right', () => {
  const results = figuresOf(['## B6 At rest\n\n| Heldline, a socket | 13.8 | 4 % | kB |  |'])
  const line = (figure: string, name: string): string => `| a socket | ${figure} | B6: ${name} |`
  expect(renderScale(line('9.1 kB', 'Heldline, a socket'), results)).toBe(
    line('13.8 kB', 'Heldline, a socket'),
  )
  expect(() => renderScale(line('–', 'something else'), results)).toThrow('B6: something else')
})
