// What the product must show, row by row, and the tests that show it: docs/requirements.md. A test shows a row by carrying its id in its name.
// `node scripts/requirements.ts report.json` puts the tests of a whole run's JSON report into the document.
import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'

/** A test of a vitest JSON report. */
interface Ran {
  /** `path › full name` */
  readonly name: string
  readonly status: 'passed' | 'failed' | 'skipped'
}

interface Report {
  readonly testResults?: readonly {
    readonly name: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

const ID = /\b(?:R\d{1,2}|S[0-4]-\d{2})\b/g
const ROW = /^\| ((?:R|S)[\d-]+) \| (.*?) \| (.*) \|$/
const MAX_TESTS_A_ROW = 4
const NOTHING = '–'

export function testsOf(report: unknown, root: string): Ran[] {
  const files = (report as Report | undefined)?.testResults ?? []
  return files.flatMap((file) =>
    file.assertionResults.map(({ fullName, status }) => ({
      name: `${relative(root, file.name)} › ${fullName.replaceAll('|', '∣').trim()}`,
      status: status === 'passed' || status === 'failed' ? status : 'skipped',
    })),
  )
}

/**
 * The tests that the document names and that this run does not have, or failed, one line each. One that says that it is skipped, since
 * this machine lacks what it needs, counts as there: it is in the tally.
 */
export function unshown(document: string, tests: readonly Ran[]): string[] {
  const there = new Set(tests.filter(({ status }) => status !== 'failed').map(({ name }) => name))
  return rowsOf(document).flatMap(({ id, shown }) =>
    shown.filter((name) => !there.has(name)).map((name) => `${id}: ${name}`),
  )
}

/** The document with the tests that carry each row's id. */
export function render(document: string, tests: readonly Ran[]): string {
  const byId = new Map<string, string[]>()
  for (const { name, status } of tests) {
    // What is made from files beside the project is not there on every machine.
    if (status !== 'passed' || name.includes('/recordings')) continue
    for (const id of new Set(name.match(ID))) byId.set(id, [...(byId.get(id) ?? []), name])
  }
  return document
    .split('\n')
    .map((line) => {
      const [, id, words] = ROW.exec(line) ?? []
      if (id === undefined) return line
      const shown = (byId.get(id) ?? []).slice(0, MAX_TESTS_A_ROW).join('<br>')
      return `| ${id} | ${words} | ${shown === '' ? NOTHING : shown} |`
    })
    .join('\n')
}

function rowsOf(document: string): { readonly id: string; readonly shown: readonly string[] }[] {
  return document.split('\n').flatMap((line) => {
    const [, id, , cell = NOTHING] = ROW.exec(line) ?? []
    if (id === undefined) return []
    return [{ id, shown: cell === NOTHING ? [] : cell.split('<br>') }]
  })
}

if (import.meta.main) {
  const [report] = process.argv.slice(2)
  if (report === undefined) throw new Error('usage: node scripts/requirements.ts report.json')
  const path = 'docs/requirements.md'
  const tests = testsOf(JSON.parse(readFileSync(report, 'utf8')), process.cwd())
  writeFileSync(path, render(readFileSync(path, 'utf8'), tests))
}
