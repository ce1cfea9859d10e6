import type { Built } from './centrifuge.ts'
import type { Load } from './load.ts'
import type { Options, ScenarioId } from './options.ts'
import { sleep, type Process } from './processes.ts'
import type { RedisServer } from './redis-server.ts'
import type { HeldlineOptions, ServerProcess } from './servers.ts'
import { startHeldline } from './servers.ts'
import { median, spread } from './stats.ts'

/** What a scenario has at hand, and how it tells what it found. */
export class Context {
  readonly id: ScenarioId
  readonly options: Options
  readonly load: Load
  readonly redis: RedisServer
  readonly centrifuge: Built
  readonly #profileTo: string | undefined
  readonly #processes: Process[] = []
  readonly #series = new Map<string, number[]>()
  readonly #cores = new Map<string, Map<string, number[]>>()
  readonly #units = new Map<string, string>()
  #repetition = 0
  readonly verdicts: Verdict[] = []
  readonly notes: string[] = []

  constructor(parts: ContextParts) {
    this.id = parts.id
    this.options = parts.options
    this.load = parts.load
    this.redis = parts.redis
    this.centrifuge = parts.centrifuge
    this.#profileTo = parts.profileTo
  }

  get quick(): boolean {
    return this.options.quick
  }

  /** Windows of a measurement: one to get warm, longer where a server is new, and one that counts. */
  get windows(): { readonly warmMs: number; readonly windowMs: number } {
    const first = this.#repetition === 0
    if (this.quick) return { warmMs: 1000, windowMs: 700 }
    return { warmMs: first ? 2500 : 500, windowMs: 2000 }
  }

  /** Repeats, so that every side meets the same moods of the machine: side by side, not one after the other. */
  async repeat(once: (repetition: number) => Promise<void>): Promise<void> {
    for (let i = 0; i < this.options.repetitions; i++) {
      this.#repetition = i
      await once(i)
    }
  }

  /** A server that ends with the scenario, at the latest. */
  async keep<P extends Process>(starting: Promise<P>): Promise<P> {
    const started = await starting
    this.#processes.push(started)
    return started
  }

  /** On the Redis of the run, unless another is named. */
  heldline(
    options: Omit<HeldlineOptions, 'redis' | 'profileTo'> & Partial<Pick<HeldlineOptions, 'redis'>>,
  ): Promise<ServerProcess> {
    const profileTo = this.#profileTo
    return this.keep(startHeldline({ redis: this.redis, ...options, profileTo }))
  }

  async close(): Promise<void> {
    for (const server of this.#processes.reverse()) await server.stop()
    await this.redis.flush()
    // What the kernel has still to tidy up is not the next scenario's.
    await sleep(200)
  }

  add(
    what: string,
    value: number,
    unit: string,
    cores: Readonly<Record<string, number>> = {},
  ): void {
    const values = this.#series.get(what) ?? []
    this.#series.set(what, values)
    this.#units.set(what, unit)
    values.push(value)
    const all = this.#cores.get(what) ?? new Map<string, number[]>()
    this.#cores.set(what, all)
    for (const [name, used] of Object.entries(cores))
      all.set(name, [...(all.get(name) ?? []), used])
    console.log(`  ${this.id}  ${what}: ${format(value)} ${unit}${coresText(cores)}`)
  }

  median(what: string): number | null {
    const values = this.#series.get(what)
    return values === undefined ? null : median(values)
  }

  /** Judges a ratio of medians, repetition by repetition being too noisy on a shared machine. */
  ratio(
    what: string,
    over: string,
    target: number | null,
    way: 'atLeast' | 'atMost' = 'atLeast',
  ): void {
    const value = this.median(what)
    const base = this.median(over)
    if (value === null || base === null || base === 0) return
    const ratio = value / base
    const met = target === null ? null : way === 'atLeast' ? ratio >= target : ratio <= target
    const sign = way === 'atLeast' ? '≥' : '≤'
    const text = target === null ? '–' : `${sign} ${Number(target.toFixed(2))} ×`
    this.verdicts.push({ what, over, value: `${ratio.toFixed(2)} ×`, target: text, met })
  }

  /** Judges a value that stands for itself. */
  limit(what: string, value: number | null, target: number, unit: string): void {
    if (value === null) return
    const text = `${format(value)} ${unit}`
    this.verdicts.push({
      what,
      over: '–',
      value: text,
      target: `≤ ${target} ${unit}`,
      met: value <= target,
    })
  }

  rows(): Row[] {
    return [...this.#series].map(([what, values]) => {
      const cores = this.#cores.get(what) ?? new Map<string, number[]>()
      return {
        what,
        median: median(values),
        spread: spread(values),
        unit: this.#units.get(what) ?? '',
        cores: Object.fromEntries([...cores].map(([name, all]) => [name, median(all)])),
        values,
      }
    })
  }
}

export interface ContextParts {
  readonly id: ScenarioId
  readonly options: Options
  readonly load: Load
  readonly redis: RedisServer
  readonly centrifuge: Built
  readonly profileTo: string | undefined
}

export interface Row {
  readonly what: string
  readonly median: number
  readonly spread: number
  readonly unit: string
  /** Fractions of a core, by process. */
  readonly cores: Readonly<Record<string, number>>
  readonly values: readonly number[]
}

export interface Verdict {
  readonly what: string
  readonly over: string
  readonly value: string
  readonly target: string
  /** `null`: told, not judged. */
  readonly met: boolean | null
}

export interface Scenario {
  readonly title: string
  run(context: Context): Promise<void>
}

export function format(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function coresText(cores: Readonly<Record<string, number>>): string {
  const parts = Object.entries(cores).map(([name, used]) => `${name} ${used.toFixed(2)}`)
  return parts.length === 0 ? '' : `  [cores: ${parts.join(', ')}]`
}

/** Names for the cores that a task returns: the processes it was given, then the load process. */
export function named(
  names: readonly string[],
  cores: readonly number[],
): Readonly<Record<string, number>> {
  return Object.fromEntries([...names, 'load'].map((name, i) => [name, cores[i] ?? 0]))
}
