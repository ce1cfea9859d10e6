import { METRICS, unitOf, type MetricRow } from '../src/observe/metrics/table.ts'

const BEGIN =
  '<!-- metrics: rendered from src/observe/metrics/table.ts by `node scripts/render-docs.ts` -->'
const END = '<!-- /metrics -->'

/** The page of metrics with its table as the source has it. @throws Error where the page has no place for it */
export function renderMetrics(page: string): string {
  const [before, rest] = page.split(BEGIN)
  const [, after] = (rest ?? '').split(END)
  if (before === undefined || after === undefined)
    throw new Error('the page has no place for the table')
  return `${before}${BEGIN}\n\n${table()}\n\n${END}${after}`
}

function table(): string {
  return [
    '| metric | type, unit | labels | what it is | when it moves |',
    '|---|---|---|---|---|',
    ...Object.entries<MetricRow>(METRICS).map(([name, row]) => line(name, row)),
  ].join('\n')
}

function line(name: string, { type, labels, about, moves }: MetricRow): string {
  const said = Object.entries(labels).map(([label, values]) =>
    typeof values === 'string'
      ? `\`${label}\`: ${values}`
      : `\`${label}\`: ${values.map((value) => `\`${value}\``).join(', ')}`,
  )
  const cells = [`\`${name}\``, `${type}, ${unitOf(name)}`, said.join('; '), about, moves]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
