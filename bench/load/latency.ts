import { quantile } from '../lib/stats.ts'
import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { Checker, numberAt } from './checker.ts'
import { DIALECTS } from './dialects.ts'
import { assertNoErrors, newTally, openReaders, Reader } from './reader.ts'
import { openSender, type Sender } from './senders.ts'
import type { Target } from './target.ts'

export interface LatencyParams {
  readonly target: Target
  readonly prefix: string
  readonly sessions: number
  readonly socketsEach: number
  readonly perSecondEach: number
  readonly warmMs: number
  readonly windowMs: number
  readonly pids: readonly number[]
}

export interface LatencyResult {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly deliveriesPerSecond: number
  readonly cores: readonly number[]
}

const STAMP = Buffer.from('"@')

/**
 * Agents publish tokens at their pace, each on a connection of its own; the time from when a token was due until a socket has it
 * is what counts. A token that waits for the answer to the one before is late, and is counted as late.
 */
export async function latency(params: LatencyParams): Promise<LatencyResult> {
  const { target, prefix, sessions, socketsEach, perSecondEach } = params
  const checker = new Checker(DIALECTS[target.dialect].marker)
  const tally = newTally()
  const samples: number[] = []
  let from = Infinity
  let until = Infinity
  const onEvents = (frame: Buffer): void => {
    const now = performance.now()
    for (let at = frame.indexOf(STAMP); at !== -1; at = frame.indexOf(STAMP, at + 2)) {
      const sentAt = numberAt(frame, at + STAMP.length) / 1000
      if (sentAt >= from && sentAt < until) samples.push(now - sentAt)
    }
  }
  const names = Array.from({ length: sessions }, (_, i) => `${prefix}${i}`)
  const senders = await Promise.all(names.map((name) => openSender(target, name)))
  const readers = await openReaders(sessions * socketsEach, (i) => {
    const options = { onEvents, waitToAttach: true }
    return new Reader(target, names[i % sessions] ?? '', checker, tally, options)
  })
  for (const reader of readers) reader.attach()
  await Promise.all(readers.map((reader) => reader.following))
  const base = readers.map((reader) => reader.last)
  const pids = [...params.pids, process.pid]
  try {
    const agents = startAgents(senders, 1000 / perSecondEach)
    await sleep(params.warmMs)
    from = performance.now()
    const before = { cpu: pids.map(cpuMs), events: tally.events }
    await sleep(params.windowMs)
    until = performance.now()
    const seconds = (until - from) / 1000
    const cores = pids.map((pid, i) => (cpuMs(pid) - (before.cpu[i] ?? 0)) / 1000 / seconds)
    const events = tally.events - before.events
    agents.stop()
    await Promise.all(senders.map((sender) => sender.settle()))
    assertNoErrors(readers)
    await Promise.all(
      readers.map((reader, i) => {
        return reader.reach((base[i] ?? 0) + (senders[i % sessions]?.sent ?? 0), 20_000)
      }),
    )
    return {
      p50Ms: quantile(samples, 0.5),
      p99Ms: quantile(samples, 0.99),
      deliveriesPerSecond: events / seconds,
      cores,
    }
  } finally {
    for (const reader of readers) reader.close(true)
    for (const sender of senders) sender.close()
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
