import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import type { Target } from './target.ts'
import { Tokens, type Latency, type TokensParams } from './tokens.ts'

export interface LatencyParams extends Omit<TokensParams, 'targets'> {
  readonly target: Target | readonly Target[]
  readonly warmMs: number
  readonly windowMs: number
  readonly pids: readonly number[]
}

export interface LatencyResult extends Latency {
  readonly appendsPerSecond: number
  readonly deliveriesPerSecond: number
  readonly cores: readonly number[]
}

/** Tokens for a while, with nothing else. */
export async function latency(params: LatencyParams): Promise<LatencyResult> {
  const { target, warmMs, windowMs } = params
  const targets = Array.isArray(target) ? (target as readonly Target[]) : [target as Target]
  const tokens = await Tokens.open({ ...params, targets })
  const pids = [...params.pids, process.pid]
  try {
    tokens.start(params.perSecondEach)
    await sleep(warmMs)
    const from = tokens.mark()
    const before = { cpu: pids.map(cpuMs), events: tokens.tally.events, sent: tokens.sent }
    await sleep(windowMs)
    const seconds = (tokens.unmark() - from) / 1000
    const cores = pids.map((pid, i) => (cpuMs(pid) - (before.cpu[i] ?? 0)) / 1000 / seconds)
    const events = tokens.tally.events - before.events
    const sent = tokens.sent - before.sent
    await tokens.settle()
    return {
      ...tokens.latency(),
      appendsPerSecond: sent / seconds,
      deliveriesPerSecond: events / seconds,
      cores,
    }
  } finally {
    tokens.close()
  }
}

let talk: Tokens | null = null

export interface TalkParams extends Omit<TokensParams, 'targets'> {
  readonly target: Target
}

/** Begins with tokens, and goes on with them until `endTalk`. */
export async function talkOn(params: TalkParams): Promise<void> {
  talk = await Tokens.open({ ...params, targets: [params.target] })
  talk.start(params.perSecondEach)
}

/** What is due from now on counts, until `hush`. */
export async function listen(): Promise<void> {
  talk?.mark()
}

/** @returns of what was due since `listen` and has come; what has not yet come is waited for by `endTalk` */
export async function hush(): Promise<Latency> {
  if (talk === null) throw new Error('nobody talks')
  talk.unmark()
  // What was due at the end of it is under way for as long as this, or is late beyond any target.
  await sleep(1000)
  return talk.latency()
}

/** @throws Error when a delivery was missing, doubled or out of order */
export async function endTalk(): Promise<void> {
  const ended = talk
  talk = null
  try {
    await ended?.settle()
  } finally {
    ended?.close()
  }
}
