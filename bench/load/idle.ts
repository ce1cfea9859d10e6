import { Checker } from './checker.ts'
import { newTally, openReaders, Reader } from './reader.ts'
import type { Target } from './target.ts'

export interface HoldParams {
  readonly target: Target
  readonly sockets: number
  /** The sockets are spread evenly over so many sessions, `<prefix>0` and on. */
  readonly sessions: number
  readonly prefix: string
}

let held: Reader[] = []

/** Opens sockets, attaches them, and keeps them. @returns the handshakes and attaches a second */
export async function hold(params: HoldParams): Promise<number> {
  const { target, sockets, sessions, prefix } = params
  const checker = new Checker('{"serial":')
  const start = performance.now()
  held = await openReaders(sockets, (i) => {
    return new Reader(target, `${prefix}${i % sessions}`, checker, newTally())
  })
  return (sockets / (performance.now() - start)) * 1000
}

/** @throws Error when any of them was lost meanwhile */
export async function release(): Promise<void> {
  const lost = held.filter((reader) => reader.error !== null)
  for (const reader of held) reader.close(true)
  held = []
  if (lost.length > 0) throw lost[0]?.error ?? new Error('lost')
}
