// The figures of docs/scale.md are those of the benchmark's results, and are put there by `node scripts/render-docs.ts`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A row of a page that names, in its last cell, the scenario and the row of the results that its figure is of. */
const ROW = /^\| (.+) \| [^|]* \| (B\d): ([^|]+) \|$/
const SECTION = /^## (B\d) /
/** What was measured, the median, the spread, the unit, and more. */
const RESULT = /^\| ([^|]+) \| ([\d.,-]+) \| \d+ % \| ([^|]+) \|/

/** Figures with their units, by scenario and row: `B6: Heldline, a socket, CPU`. */
export function figuresOf(results: readonly string[]): ReadonlyMap<string, string> {
  const figures = new Map<string, string>()
  for (const text of results) {
    let scenario = ''
    for (const line of text.split('\n')) {
      scenario = SECTION.exec(line)?.[1] ?? scenario
      const [, what, median, unit] = RESULT.exec(line) ?? []
      if (what !== undefined) figures.set(`${scenario}: ${what}`, `${median} ${unit}`)
    }
  }
  return figures
}

/** The page with its figures as the results have them. @throws Error where it names a row that no result has */
export function renderScale(page: string, figures: ReadonlyMap<string, string>): string {
  return page
    .split('\n')
    .map((line) => {
      const [, what, scenario, name] = ROW.exec(line) ?? []
      if (what === undefined) return line
      const figure = figures.get(`${scenario}: ${name}`)
      if (figure === undefined) throw new Error(`no result is named ${scenario}: ${name}`)
      return `| ${what} | ${figure} | ${scenario}: ${name} |`
    })
    .join('\n')
}

/** What the benchmark's results say: every page of them that is kept in the repository. */
export function readResults(root: string): string[] {
  const folder = join(root, 'bench')
  const pages = readdirSync(folder).filter((name) => name.endsWith('.md'))
  return pages.toSorted().map((name) => readFileSync(join(folder, name), 'utf8'))
}
