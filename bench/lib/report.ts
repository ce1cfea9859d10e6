import { coresText, format, type Row, type Verdict } from './scenario.ts'
import type { Hot } from './profile.ts'
import type { ScenarioId } from './options.ts'

export interface Section {
  readonly id: ScenarioId
  readonly title: string
  readonly rows: readonly Row[]
  readonly verdicts: readonly Verdict[]
  readonly notes: readonly string[]
  readonly seconds: number
  /** Why it has no end; then the rows are what there was. */
  readonly error: string | null
  profiles: readonly { readonly file: string; readonly top: readonly Hot[] }[]
}

const mark = (met: boolean | null): string => (met === null ? '' : met ? 'met' : '**not met**')

export function renderSection(section: Section): string {
  const { id, title, rows, verdicts, notes, error, profiles, seconds } = section
  const lines = [`## ${id} ${title}`, '']
  if (error !== null) lines.push(`**Failed:** ${error.split('\n')[0] ?? ''}`, '')
  lines.push('| what | median | ± | unit | cores |', '|---|--:|--:|---|---|')
  for (const { what, median, spread, unit, cores } of rows) {
    const used = coresText(cores)
      .trim()
      .replace(/^\[cores: |\]$/g, '')
    lines.push(
      `| ${what} | ${format(median)} | ${Math.round(spread * 100)} % | ${unit} | ${used} |`,
    )
  }
  if (verdicts.length > 0) {
    lines.push('', '| what | against | is | target | |', '|---|---|--:|--:|---|')
    for (const { what, over, value, target, met } of verdicts) {
      lines.push(`| ${what} | ${over} | ${value} | ${target} | ${mark(met)} |`)
    }
  }
  for (const note of notes) lines.push('', note)
  for (const { file, top } of profiles.slice(0, 3)) {
    lines.push('', `Where the time goes (${file.replace(/\.\d+\.\d+.*$/, '')}, self time):`, '')
    for (const { where, fraction } of top)
      lines.push(`- ${(fraction * 100).toFixed(1)} % \`${where}\``)
  }
  lines.push('', `(${Math.round(seconds)} s)`, '')
  return lines.join('\n')
}

export function renderReport(
  machine: Readonly<Record<string, string>>,
  sections: readonly Section[],
  how: string,
): string {
  const facts = Object.entries(machine).map(([name, value]) => `| ${name} | ${value} |`)
  return [
    '# Benchmark results',
    '',
    'Written by `npm run bench`; do not edit. What is measured, and how, is in [docs/bench.md](../docs/bench.md). Server, store and load share the',
    'same cores: figures are indications, and only ratios to what was measured in the same run are claims.',
    '',
    `| | |`,
    `|---|---|`,
    ...facts,
    `| Run | ${how} |`,
    '',
    ...sections.map(renderSection),
  ].join('\n')
}
