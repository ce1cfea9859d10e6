import { cpuMs, rssBytes } from '../lib/proc.ts'
import { Checker } from './checker.ts'
import { DIALECTS } from './dialects.ts'
import { streamSequence } from './nats.ts'
import { CentrifugePublisher, NatsPublisher, SocketIoPublisher } from './publishers.ts'
import { newTally, openReaders, Reader, type ReaderOptions } from './reader.ts'
import type { Target } from './target.ts'

export interface ResumeParams {
  readonly target: Target
  readonly session: string
  readonly clients: number
  readonly behind: number
  /** Where they come back from; a peer is first made to fall behind. */
  readonly position: string | null
  readonly after: number
  readonly pids: readonly number[]
  readonly withinMs: number
}

export interface ResumeResult {
  readonly eventsPerSecond: number
  readonly ms: number
  /** By how much the resident memory of the first process grew at most. */
  readonly grownBytes: number
  readonly cores: readonly number[]
}

/** Clients that are connected ask at once for what they missed; measured until the last has the last event. */
export async function resume(params: ResumeParams): Promise<ResumeResult> {
  const { target, session, clients, behind, position } = params
  const checker = new Checker(DIALECTS[target.dialect].marker)
  const tally = newTally()
  const options = position === null ? await fallBehind(params, checker) : [{ position }]
  const readers = await openReaders(clients, (i) => {
    const own = options[i % options.length]
    const more = { waitToAttach: true, catchup: 'events', after: params.after } as const
    return new Reader(target, session, checker, tally, { ...own, ...more })
  })
  const pids = [...params.pids, process.pid]
  const [server = process.pid] = params.pids
  const rss = rssBytes(server)
  let highest = rss
  const watch = setInterval(() => {
    highest = Math.max(highest, rssBytes(server))
  }, 100)
  try {
    const cpu = pids.map(cpuMs)
    const start = performance.now()
    for (const reader of readers) reader.attach()
    await Promise.all(readers.map((reader) => reader.reach(params.after + behind, params.withinMs)))
    const ms = performance.now() - start
    return {
      eventsPerSecond: (tally.events / ms) * 1000,
      ms,
      grownBytes: Math.max(highest, rssBytes(server)) - rss,
      cores: pids.map((pid, i) => (cpuMs(pid) - (cpu[i] ?? 0)) / ms),
    }
  } finally {
    clearInterval(watch)
    for (const reader of readers) reader.close(true)
  }
}

/** A peer's clients follow, have one event, lose their sockets, and miss the rest. */
async function fallBehind(params: ResumeParams, checker: Checker): Promise<ReaderOptions[]> {
  const { target, session, clients, behind } = params
  const marks: string[] = []
  const readers = await openReaders(clients, (i) => {
    const onEvents = (frame: Buffer): void => {
      marks[i] = frame.toString()
    }
    return new Reader(target, session, checker, newTally(), { onEvents })
  })
  const publish = (events: number, before: number): Promise<void> => {
    if (target.dialect === 'socket.io')
      return new SocketIoPublisher(target, session, 64, before).send(events)
    if (target.dialect === 'nats')
      return new NatsPublisher(target, session, 64, before).send(events)
    return new CentrifugePublisher(target, session, 64).send(events)
  }
  await publish(1, 0)
  await Promise.all(readers.map((reader) => reader.reach(1, 20_000)))
  for (const reader of readers) reader.close(true)
  await publish(behind, 1)
  return readers.map((reader, i) => ({
    position: positionOf(target.dialect, reader.identity, marks[i] ?? ''),
  }))
}

/** Where a peer's client comes back to, after its first event: in the words of its own protocol. */
function positionOf(dialect: Target['dialect'], identity: string, mark: string): string {
  if (dialect === 'nats') return String(streamSequence(mark) + 1)
  if (dialect === 'centrifuge') return `"recover":true,"epoch":"${identity}","offset":1`
  const offset = (JSON.parse(mark.slice(2)) as unknown[]).at(-1)
  return JSON.stringify({ pid: identity, offset })
}
