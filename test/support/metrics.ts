/** The metrics of a server, as Prometheus reads them. */
export interface Scraped {
  readonly text: string
  /** One number; 0 where there is none. @param labels those that it must have; numbers of several are added */
  readonly of: (name: string, labels?: Readonly<Record<string, string>>) => number
  /** The names of all numbers, without labels. */
  readonly names: ReadonlySet<string>
}

/** A number as Go reads it: whatever case infinities and what is no number are in. */
const LINE = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (-?\d[\d.e+-]*|[+-]?inf|nan)$/i
const LABEL = /([a-z_][a-z0-9_]*)="((?:[^"\\]|\\.)*)"/gi

/** @param key `null`: none is shown */
export async function scrape(url: string | null, key: string | null = null): Promise<Scraped> {
  if (url === null) throw new Error('the server shows no metrics')
  const headers = key === null ? {} : { authorization: `Bearer ${key}` }
  const response = await fetch(url, { headers })
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  return readMetrics(await response.text())
}

/** @throws Error where a line is not of the format */
export function readMetrics(text: string): Scraped {
  const numbers = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = LINE.exec(line) ?? []
      if (name === '') throw new Error(`not a line of the format: ${line}`)
      const pairs = [...labels.matchAll(LABEL)].map(([, key = '', of = '']) => [key, of] as const)
      return { name, labels: new Map(pairs), value: Number(value) }
    })
  return {
    text,
    names: new Set(numbers.map(({ name }) => name)),
    of: (name, wanted = {}) =>
      numbers
        .filter((one) => one.name === name)
        .filter((one) => Object.entries(wanted).every(([key, of]) => one.labels.get(key) === of))
        .reduce((sum, { value }) => sum + value, 0),
  }
}
