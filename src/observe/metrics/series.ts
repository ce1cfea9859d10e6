import type { MetricRow } from './table.ts'

/** One number. Whoever counts often keeps it, and adds to it. */
export interface Cell {
  value: number
}

/** So many numbers one metric may be, whatever its labels are given. */
const MAX_CELLS = 512
const OTHER = 'other'

/** The numbers of one metric, by the values of its labels: a bounded number of them, by construction. */
export class Series {
  readonly #names: readonly string[]
  /** By the label; `null`: any value, up to the bound. */
  readonly #values: readonly (ReadonlySet<string> | null)[]
  readonly #cells = new Map<string, { readonly labels: readonly string[]; readonly cell: Cell }>()

  constructor(labels: MetricRow['labels']) {
    this.#names = Object.keys(labels)
    const values = Object.values(labels)
    this.#values = values.map((some) => (typeof some === 'string' ? null : new Set(some)))
    // What can be foreseen is there from the beginning, as 0: a rise from nothing is a rise.
    const lists = values.filter((some) => typeof some !== 'string')
    if (lists.length === values.length) for (const some of combinations(lists)) this.cell(...some)
  }

  /** The number for these values, in the order of the table. A value that is not listed, or over the bound, is `other`. */
  cell(...values: readonly string[]): Cell {
    const known = this.#cells.get(values.join('\n'))
    return known === undefined ? this.#make(values) : known.cell
  }

  add(by: number, ...values: readonly string[]): void {
    this.cell(...values).value += by
  }

  *all(): Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }> {
    for (const { labels, cell } of this.#cells.values()) {
      const named = Object.fromEntries(this.#names.map((name, i) => [name, labels[i] ?? OTHER]))
      yield { labels: named, value: cell.value }
    }
  }

  #make(values: readonly string[]): Cell {
    const full = this.#cells.size >= MAX_CELLS
    const labels = this.#values.map((allowed, index) => {
      const value = values[index] ?? OTHER
      return allowed === null ? (full ? OTHER : value) : allowed.has(value) ? value : OTHER
    })
    const key = labels.join('\n')
    const known = this.#cells.get(key)
    if (known !== undefined) return known.cell
    const cell = { value: 0 }
    this.#cells.set(key, { labels, cell })
    return cell
  }
}

/** Every choice of one value from each list. */
export function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>(
    (some, list) => some.flatMap((before) => list.map((value) => [...before, value])),
    [[]],
  )
}
