import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { Checker } from './checker.ts'
import { DIALECTS } from './dialects.ts'
import {
  CentrifugePublisher,
  HttpPublisher,
  NatsPublisher,
  SocketIoPublisher,
  SocketPublisher,
  StreamPublisher,
  type Publisher,
} from './publishers.ts'
import { assertNoErrors, newTally, openReaders, Reader } from './reader.ts'
import type { Target } from './target.ts'

export type How =
  | {
      readonly kind: 'http'
      readonly connections: number
      readonly batch: number
      /** In whose name it appends: a run that lives, of epoch 1. */
      readonly run?: string
    }
  | { readonly kind: 'stream' | 'socket'; readonly window: number }

export interface AppendParams {
  readonly target: Target
  readonly session: string
  readonly how: How
  /** How many sockets are given every event. */
  readonly readers: number
  readonly warmMs: number
  readonly windowMs: number
  /** The processes whose CPU time is counted. */
  readonly pids: readonly number[]
}

export interface AppendResult {
  readonly appendsPerSecond: number
  readonly deliveriesPerSecond: number
  readonly eventsPerFrame: number
  readonly bytesPerEvent: number
  /** Fractions of one core, in the order of the pids, then this process. */
  readonly cores: readonly number[]
}

/** One publisher keeps its appends waiting, and every reader checks everything: B1 and B2. */
export async function append(params: AppendParams): Promise<AppendResult> {
  const { target, session, readers: count, warmMs, windowMs } = params
  const tally = newTally()
  const checker = new Checker(DIALECTS[target.dialect].marker)
  const readers = await openReaders(count, () => new Reader(target, session, checker, tally))
  const base = readers[0]?.last ?? 0
  const publisher = publisherOf(params)
  const pids = [...params.pids, process.pid]
  try {
    await publisher.start()
    await sleep(warmMs)
    const before = { ...tally, acked: publisher.acked, cpu: pids.map(cpuMs), at: performance.now() }
    await sleep(windowMs)
    const seconds = (performance.now() - before.at) / 1000
    const cores = pids.map((pid, i) => (cpuMs(pid) - (before.cpu[i] ?? 0)) / 1000 / seconds)
    const events = tally.events - before.events
    const acked = publisher.acked - before.acked
    const frames = Math.max(1, tally.frames - before.frames)
    const bytesPerEvent = (tally.bytes - before.bytes) / Math.max(1, events)
    await publisher.stop()
    assertNoErrors(readers)
    await Promise.all(readers.map((reader) => reader.reach(base + publisher.acked, 20_000)))
    return {
      appendsPerSecond: acked / seconds,
      deliveriesPerSecond: events / seconds,
      eventsPerFrame: events / frames,
      bytesPerEvent,
      cores,
    }
  } finally {
    for (const reader of readers) reader.close(true)
  }
}

function publisherOf({ target, session, how }: AppendParams): Publisher {
  const window = how.kind === 'http' ? how.connections : how.window
  if (target.dialect === 'socket.io') return new SocketIoPublisher(target, session, window)
  if (target.dialect === 'centrifuge') return new CentrifugePublisher(target, session, window)
  if (target.dialect === 'nats') return new NatsPublisher(target, session, window)
  switch (how.kind) {
    case 'http':
      return new HttpPublisher(target, session, how.connections, how.batch, how.run)
    case 'socket':
      return new SocketPublisher(target, session, how.window)
    case 'stream':
      return new StreamPublisher(target, session, how.window)
  }
}
