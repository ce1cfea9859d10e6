import { createHmac } from 'node:crypto'
import { quantile } from '../lib/stats.ts'
import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { Checker } from './checker.ts'
import { DIALECTS, serialOf } from './dialects.ts'
import { assertNoErrors, newTally, Reader } from './reader.ts'
import type { Target } from './target.ts'

export interface StormParams {
  readonly target: Target
  readonly prefix: string
  /** Of each session, where its sockets come back to; the sockets are spread evenly over them. */
  readonly positions: readonly string[]
  readonly sockets: number
  /** So many events are behind each; 0: a socket is back once it is open. */
  readonly behind: number
  readonly secret: string
  readonly pids: readonly number[]
  readonly withinMs: number
}

export interface StormResult {
  /** Sockets over the time until the last one is back, which is when it has everything. */
  readonly backPerSecond: number
  /** Sockets over the time until the last one is let in. */
  readonly openPerSecond: number
  /** How often one had to knock again: it was refused, or not heard. */
  readonly again: number
  /** Until half of them are back. */
  readonly halfMs: number
  readonly cores: readonly number[]
  /** CPU time a socket, in µs, in the order of the pids. */
  readonly cpuUs: readonly number[]
}

let storms = 0
const ATTEMPTS = 10
const AGAIN_AFTER_MS = 200

/** Sockets that lost their server come back to it all at once, each with a token of its own that no server has seen. */
export async function storm(params: StormParams): Promise<StormResult> {
  const { sockets, behind, positions, withinMs } = params
  const readers = await prepare(params)
  const pids = [...params.pids, process.pid]
  const opened: number[] = []
  const back: number[] = []
  const cpu = pids.map(cpuMs)
  const start = performance.now()
  let again = 0
  const knock = async (open: () => Reader, left = ATTEMPTS): Promise<Reader> => {
    const reader = open()
    try {
      await reader.opened
      return reader
    } catch (error) {
      if (left <= 1) throw error
      again++
      await sleep(AGAIN_AFTER_MS * (1 + Math.random()))
      return knock(open, left - 1)
    }
  }
  const come = async (open: () => Reader, position: string): Promise<Reader> => {
    const reader = await knock(open)
    opened.push(performance.now() - start)
    if (behind > 0) {
      reader.attach()
      await reader.following
      await reader.reach(serialOf(position) + behind, withinMs)
    }
    back.push(performance.now() - start)
    return reader
  }
  const all = await Promise.all(
    readers.map((open, i) => come(open, positions[i % positions.length] ?? '')),
  )
  const ms = Math.max(...back)
  const usedMs = pids.map((pid, i) => cpuMs(pid) - (cpu[i] ?? 0))
  try {
    assertNoErrors(all)
  } finally {
    for (const reader of all) reader.close(true)
  }
  return {
    backPerSecond: (sockets / ms) * 1000,
    openPerSecond: (sockets / Math.max(...opened)) * 1000,
    again,
    halfMs: quantile(back, 0.5),
    cores: usedMs.map((used) => used / ms),
    cpuUs: usedMs.map((used) => (used / sockets) * 1000),
  }
}

/** Everything that a client has at hand before it loses its socket. */
async function prepare(params: StormParams): Promise<(() => Reader)[]> {
  const { target, prefix, positions, sockets, secret } = params
  const { marker } = DIALECTS[target.dialect]
  const tally = newTally()
  const shared = new Checker(marker)
  // Sockets of one session get the same frames, which are then checked as one.
  const each = positions.length < sockets ? positions.map(() => new Checker(marker)) : []
  const turn = storms++
  return Array.from({ length: sockets }, (_, i) => {
    const session = `${prefix}${i % positions.length}`
    const token = mint(secret, `${turn}-${i}`, session)
    const position = positions[i % positions.length] ?? ''
    const checker = each[i % positions.length] ?? shared
    const options = { token, position, after: serialOf(position), waitToAttach: true }
    return () => new Reader(target, session, checker, tally, options)
  })
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token as a backend makes it for a browser: of the server's secret, for an hour. */
function mint(secret: string, subject: string, session: string): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    sessions: [session],
    capabilities: ['subscribe', 'history', 'send'],
    sub: subject,
    iss: 'heldline',
    aud: 'heldline',
    iat: now,
    exp: now + 3600,
    jti: `${now}-${subject}`,
  }
  const signed = `${part({ alg: 'HS256', typ: 'heldline+jwt' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
