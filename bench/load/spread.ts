import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { Checker } from './checker.ts'
import { DIALECTS } from './dialects.ts'
import { createSession } from './preload.ts'
import { HttpPublisher } from './publishers.ts'
import { assertNoErrors, newTally, openReaders, Reader } from './reader.ts'
import type { Target } from './target.ts'

export interface SpreadParams {
  /** Sessions are spread over them in turns; each is read at one, and published to at one. */
  readonly targets: readonly Target[]
  readonly prefix: string
  readonly sessions: number
  /** Events of one request. */
  readonly batch: number
  /** Each session has a socket while it is published to; else one that reads all of it afterwards. */
  readonly followed: boolean
  readonly warmMs: number
  readonly windowMs: number
  readonly pids: readonly number[]
}

export interface SpreadResult {
  readonly appendsPerSecond: number
  /** Fractions of one core, in the order of the pids, then this process. */
  readonly cores: readonly number[]
}

const READ_WITHIN_MS = 60_000

/** A publisher to each session, which sends the next request when the one before is answered. */
export async function spread(params: SpreadParams): Promise<SpreadResult> {
  const { targets, prefix, sessions, batch, followed } = params
  const targetOf = (i: number): Target => targets[i % targets.length] ?? fail()
  const names = Array.from({ length: sessions }, (_, i) => `${prefix}${i}`)
  const positions = await Promise.all(
    names.map((name, i) => createSession(targetOf(i).publishPort ?? targetOf(i).port, name)),
  )
  const readers = (): Promise<Reader[]> =>
    openReaders(sessions, (i) => {
      const { marker } = DIALECTS[targetOf(i).dialect]
      const from = { position: positions[i] ?? '', catchup: 'events' } as const
      return new Reader(targetOf(i), names[i] ?? '', new Checker(marker), newTally(), from)
    })
  const early = followed ? await readers() : []
  const publishers = names.map((name, i) => new HttpPublisher(targetOf(i), name, 1, batch))
  const acked = (): number => publishers.reduce((sum, publisher) => sum + publisher.acked, 0)
  const pids = [...params.pids, process.pid]
  let all = early
  try {
    await Promise.all(publishers.map((publisher) => publisher.start()))
    await sleep(params.warmMs)
    const before = { acked: acked(), cpu: pids.map(cpuMs), at: performance.now() }
    await sleep(params.windowMs)
    const seconds = (performance.now() - before.at) / 1000
    const cores = pids.map((pid, i) => (cpuMs(pid) - (before.cpu[i] ?? 0)) / 1000 / seconds)
    const appendsPerSecond = (acked() - before.acked) / seconds
    await Promise.all(publishers.map((publisher) => publisher.stop()))
    all = followed ? early : await readers()
    assertNoErrors(all)
    // The first event of a session is its creation, which the position is after.
    await Promise.all(
      all.map((reader, i) => reader.reach(1 + (publishers[i]?.acked ?? 0), READ_WITHIN_MS)),
    )
    return { appendsPerSecond, cores }
  } finally {
    for (const reader of all) reader.close(true)
  }
}

function fail(): never {
  throw new Error('a spread needs a server')
}
