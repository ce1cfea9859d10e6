import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { combinations, Series } from './series.ts'
import { METRICS, type HistogramName, type MetricRow, type SeriesName } from './table.ts'

/** Every metric of the table, as numbers that are added to, and as the text that Prometheus reads. */
export class Numbers {
  readonly #registry = new Registry()
  readonly #series = new Map<string, Series>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #readers = new Map<string, () => void>()

  constructor() {
    for (const [name, row] of Object.entries<MetricRow>(METRICS)) {
      if (row.type === 'histogram') this.#histograms.set(name, this.#histogram(name, row))
      else this.#instrument(name, row)
    }
    // What Node and the system say of the process: memory, garbage, how late the event loop is.
    collectDefaultMetrics({ register: this.#registry })
  }

  series(name: SeriesName): Series {
    // The constructor went through the whole table.
    return this.#series.get(name) as Series
  }

  histogram(name: HistogramName): Histogram {
    return this.#histograms.get(name) as Histogram
  }

  /** A gauge without labels that is looked up when it is asked for. */
  read(name: SeriesName, value: () => number): void {
    const cell = this.series(name).cell()
    this.#readers.set(name, () => void (cell.value = value()))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** The numbers are ours; the library is handed them when somebody looks. */
  #instrument(name: string, { type, labels, about }: MetricRow): void {
    const series = new Series(labels)
    this.#series.set(name, series)
    const options = {
      name,
      help: about,
      labelNames: Object.keys(labels),
      registers: [this.#registry],
    }
    const look = (): void => this.#readers.get(name)?.()
    if (type === 'counter') {
      const counter: Counter = new Counter({
        ...options,
        collect() {
          counter.reset()
          for (const one of series.all()) counter.inc(one.labels, one.value)
        },
      })
      return
    }
    const gauge: Gauge = new Gauge({
      ...options,
      collect() {
        look()
        for (const one of series.all()) gauge.set(one.labels, one.value)
      },
    })
  }

  #histogram(name: string, { labels, about, buckets = [] }: MetricRow): Histogram {
    const labelNames = Object.keys(labels)
    const histogram = new Histogram({
      name,
      help: about,
      labelNames,
      buckets: [...buckets],
      registers: [this.#registry],
    })
    const lists = Object.values(labels).filter((values) => typeof values !== 'string')
    for (const some of combinations(lists)) {
      histogram.zero(Object.fromEntries(labelNames.map((label, i) => [label, some[i] ?? ''])))
    }
    return histogram
  }
}
