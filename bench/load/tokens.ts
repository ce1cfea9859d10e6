import { quantile } from '../lib/stats.ts'
import { Checker, numberAt } from './checker.ts'
import { DIALECTS } from './dialects.ts'
import { assertNoErrors, newTally, openReaders, Reader, type Tally } from './reader.ts'
import { openSender, type Sender } from './senders.ts'
import type { Target } from './target.ts'

export interface TokensParams {
  /** A session is published to and read at one of them, in turns. */
  readonly targets: readonly Target[]
  readonly prefix: string
  readonly sessions: number
  readonly socketsEach: number
  readonly perSecondEach: number
}

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly samples: number
}

const STAMP = Buffer.from('"@')
const CAUGHT_UP_WITHIN_MS = 20_000

/**
 * Agents publish tokens at their pace, each on a connection of its own; the time from when a token was due until a socket has it
 * is what counts. A token that waits for the answer to the one before is late, and is counted as late.
 */
export class Tokens {
  readonly tally: Tally = newTally()
  readonly #senders: readonly Sender[]
  #readers: readonly Reader[] = []
  #base: readonly number[] = []
  #agents: { stop(): void } | null = null
  #samples: number[] = []
  #from = Infinity
  #until = Infinity

  private constructor(senders: readonly Sender[]) {
    this.#senders = senders
  }

  /** Opens all connections, and says nothing yet. */
  static async open(params: TokensParams): Promise<Tokens> {
    const { targets, prefix, sessions, socketsEach } = params
    const [first] = targets
    if (first === undefined) throw new Error('tokens need a server')
    const targetOf = (i: number): Target => targets[i % targets.length] ?? first
    const names = Array.from({ length: sessions }, (_, i) => `${prefix}${i}`)
    const tokens = new Tokens(
      await Promise.all(names.map((name, i) => openSender(targetOf(i), name))),
    )
    const checker = new Checker(DIALECTS[first.dialect].marker)
    const onEvents = (frame: Buffer): void => tokens.#take(frame)
    tokens.#readers = await openReaders(sessions * socketsEach, (i) => {
      const session = i % sessions
      const options = { onEvents, waitToAttach: true }
      return new Reader(targetOf(session), names[session] ?? '', checker, tokens.tally, options)
    })
    for (const reader of tokens.#readers) reader.attach()
    await Promise.all(tokens.#readers.map((reader) => reader.following))
    tokens.#base = tokens.#readers.map((reader) => reader.last)
    return tokens
  }

  get sent(): number {
    return this.#senders.reduce((sum, { sent }) => sum + sent, 0)
  }

  start(perSecondEach: number): void {
    this.#agents = startAgents(this.#senders, 1000 / perSecondEach)
  }

  /** What is due from now on is measured. @returns the time, in ms */
  mark(): number {
    this.#samples = []
    this.#until = Infinity
    this.#from = performance.now()
    return this.#from
  }

  /** What is due from now on is not measured. @returns the time, in ms */
  unmark(): number {
    this.#until = performance.now()
    return this.#until
  }

  /** Ends what was begun, and waits until every socket has everything. @throws what went wrong at any time */
  async settle(): Promise<void> {
    this.#agents?.stop()
    await Promise.all(this.#senders.map((sender) => sender.settle()))
    assertNoErrors(this.#readers)
    await Promise.all(
      this.#readers.map((reader, i) => {
        const sent = this.#senders[i % this.#senders.length]?.sent ?? 0
        return reader.reach((this.#base[i] ?? 0) + sent, CAUGHT_UP_WITHIN_MS)
      }),
    )
  }

  /** Of what was measured: everything, once it is settled. */
  latency(): Latency {
    const samples = this.#samples
    return {
      p50Ms: quantile(samples, 0.5),
      p99Ms: quantile(samples, 0.99),
      samples: samples.length,
    }
  }

  close(): void {
    this.#agents?.stop()
    for (const reader of this.#readers) reader.close(true)
    for (const sender of this.#senders) sender.close()
  }

  #take(frame: Buffer): void {
    const now = performance.now()
    for (let at = frame.indexOf(STAMP); at !== -1; at = frame.indexOf(STAMP, at + 2)) {
      const sentAt = numberAt(frame, at + STAMP.length) / 1000
      if (sentAt >= this.#from && sentAt < this.#until) this.#samples.push(now - sentAt)
    }
  }
}

/** One timer for all: each agent has its own phase, so that they do not speak in chorus. */
function startAgents(senders: readonly Sender[], everyMs: number): { stop(): void } {
  const start = performance.now()
  const due = senders.map((_, i) => start + (i / senders.length) * everyMs)
  const timer = setInterval(() => {
    const now = performance.now()
    for (const [i, sender] of senders.entries()) {
      while ((due[i] ?? Infinity) <= now) {
        sender.send(now)
        due[i] = (due[i] ?? 0) + everyMs
      }
    }
  }, 1)
  return { stop: () => clearInterval(timer) }
}
