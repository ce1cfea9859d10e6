import type { Message } from '../protocol/fold/message.ts'
import { AgentError } from './agent-error.ts'
import { numberOr, textOr } from './fields.ts'
import { latestMessages } from './latest-messages.ts'
import { mintId } from '../sdk/mint-id.ts'
import type { SessionApi } from './session-api.ts'

export interface StartOptions {
  /** What the run answers: an input's or a message's id. One run a trigger, however often it is asked for. */
  readonly trigger?: string
  /** The agent's name. */
  readonly agent?: string
  /** The run's id, at most 110 characters; minted where it is left out. */
  readonly run?: string
  /**
   * Names this process to the server. Left out, every start is another process's. Given the same as an earlier attempt, the run that
   * attempt started is gone on with.
   */
  readonly producer?: string
  /** Without a sign of life for so long the run is lost. 5 s to 24 h; default 25 s. */
  readonly leaseMs?: number
  /** Subjects that the result has to reach. */
  readonly deliverTo?: readonly string[]
  readonly metadata?: Readonly<Record<string, unknown>>
  /**
   * Where the run is there already, in the hands of another process or of none: takes it over, as an activity does that is tried again. `rewrite` begins
   * its messages anew, in their places; `continue` writes on where the earlier process stopped. Default: leaves it alone.
   */
  readonly adopt?: 'rewrite' | 'continue'
}

/** A run that this process holds. */
export interface Held {
  readonly run: string
  readonly epoch: number
  readonly leaseMs: number
  /** What an earlier process left; `null` where there was none. */
  readonly earlier: Earlier | null
}

export interface Earlier {
  readonly checkpoint: unknown
  /** Its messages, in order. */
  readonly messages: readonly Message[]
}

/** Somebody else has it, or it is over. */
export interface NotStarted {
  readonly run: string
  readonly status: string
}

const MAX_RUN_LETTERS = 110
const DEFAULT_LEASE_MS = 25_000

/**
 * Starts a run, or goes on with it where the options say so. The request may be sent again without harm: the run's id and the producer are named
 * before. [P-10.1] [P-10.2]
 */
export async function startRun(api: SessionApi, options: StartOptions): Promise<Held | NotStarted> {
  const { clock } = api.ports
  const { run = mintId(clock.now()), producer = mintId(clock.now()), adopt, ...rest } = options
  if (run.length > MAX_RUN_LETTERS) {
    throw new AgentError('invalid_request', `unable to start; ${run} is too long for a run's id`)
  }
  const body = { ...rest, run, producer }
  const answer = await orOver(
    run,
    api.json({ method: 'POST', path: '/runs', body, expects: 'status' }),
  )
  if ('over' in answer) return answer.over as NotStarted
  const named = textOr(answer['run'], run)
  const status = textOr(answer['status'], '')
  const leaseMs = numberOr(answer['leaseMs'], options.leaseMs ?? DEFAULT_LEASE_MS)
  // A start whose answer was lost is answered as one of before: by this very producer.
  const mine = answer['created'] === true || options.producer === undefined
  const epoch = answer['epoch']
  if (typeof epoch === 'number') {
    const earlier = mine ? null : await earlierOf(api, named)
    return { run: named, epoch, leaseMs, earlier }
  }
  if (adopt === undefined || status === 'finished') return { run: named, status }
  return adoptRun(api, named, producer, leaseMs)
}

type Json = Readonly<Record<string, unknown>>

/** A run that is over, or whose trigger was cancelled before, is not there to be had. */
async function orOver(run: string, asked: Promise<Json>): Promise<Json | { over: NotStarted }> {
  try {
    return await asked
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'run_over') throw error
    return { over: { run, status: textOr(error.facts['runStatus'], 'over') } }
  }
}

async function adoptRun(
  api: SessionApi,
  run: string,
  producer: string,
  leaseMs: number,
): Promise<Held | NotStarted> {
  const path = `/runs/${encodeURIComponent(run)}/adopt`
  const answer = await orOver(
    run,
    api.json({ method: 'POST', path, body: { producer }, expects: 'epoch' }),
  )
  if ('over' in answer) return answer.over as NotStarted
  const epoch = numberOr(answer['epoch'], Number.NaN)
  if (!Number.isInteger(epoch)) throw new AgentError('invalid_answer', 'unable to adopt the run')
  return { run, epoch, leaseMs, earlier: await earlierOf(api, run) }
}

/** What a run wrote longer ago than that it leaves as it is. */
const MAX_MESSAGES = 2000

async function earlierOf(api: SessionApi, run: string): Promise<Earlier> {
  const { checkpoint = null } = await api.json({
    path: `/runs/${encodeURIComponent(run)}`,
    expects: 'status',
  })
  return { checkpoint, messages: await messagesOf(api, run) }
}

/** The run's messages, in order. */
async function messagesOf(api: SessionApi, run: string): Promise<readonly Message[]> {
  const messages = await latestMessages(api, MAX_MESSAGES)
  return messages.filter((message) => message.run === run)
}
