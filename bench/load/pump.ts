import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { Checker } from './checker.ts'
import { DIALECTS } from './dialects.ts'
import { assertNoErrors, newTally, openReaders, Reader } from './reader.ts'
import type { Target } from './target.ts'

export interface PumpParams {
  readonly target: Target
  readonly readers: number
  readonly eventsPerFrame: number
  readonly bytesPerEvent: number
  readonly warmMs: number
  readonly windowMs: number
  readonly pids: readonly number[]
}

export interface PumpResult {
  readonly deliveriesPerSecond: number
  readonly cores: readonly number[]
}

/** The ceiling of a fan-out: the server makes frames by itself, as large as it is told. */
export async function pump(params: PumpParams): Promise<PumpResult> {
  const { target, readers: count, eventsPerFrame, bytesPerEvent } = params
  const tally = newTally()
  const checker = new Checker(DIALECTS.bare.marker)
  const readers = await openReaders(count, () => new Reader(target, '', checker, tally))
  const pids = [...params.pids, process.pid]
  try {
    const [first] = readers
    if (first === undefined) throw new Error('a pump needs a reader')
    first.ws.send(JSON.stringify({ eventsPerFrame, bytesPerEvent }))
    await sleep(params.warmMs)
    const before = { events: tally.events, cpu: pids.map(cpuMs), at: performance.now() }
    await sleep(params.windowMs)
    const seconds = (performance.now() - before.at) / 1000
    const cores = pids.map((pid, i) => (cpuMs(pid) - (before.cpu[i] ?? 0)) / 1000 / seconds)
    const events = tally.events - before.events
    first.ws.send('stop')
    await settle(readers)
    assertNoErrors(readers)
    return { deliveriesPerSecond: events / seconds, cores }
  } finally {
    for (const reader of readers) reader.close(true)
  }
}

/** Until all readers have had the same, and nothing more comes. */
async function settle(readers: readonly Reader[]): Promise<void> {
  const until = performance.now() + 20_000
  let before = -1
  for (;;) {
    await sleep(50)
    const all = readers.map((reader) => reader.last)
    const most = Math.max(...all)
    if (most === before && all.every((last) => last === most)) return
    if (performance.now() > until) throw new Error('missing: readers differ at the end')
    before = most
  }
}
