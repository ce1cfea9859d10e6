import { isPassing, leavesDoubt, outcomeOf, Refusal, Unanswered, type Failure } from './failures.ts'
import type { Command, Link, Reply } from './link.ts'
import type { Script } from './scripts.ts'
import { HeldlineError } from '../../protocol/errors.ts'

const FIRST_PAUSE_MS = 10
const MAX_PAUSE_MS = 250

export interface Call {
  readonly doing: string
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  /** Whether a call that was not answered may have changed something that its caller has to know. */
  readonly effect: boolean
  readonly wait?: { readonly replicas: number; readonly timeoutMs: number } | null
}

/** Runs a script that may be repeated, again and again until it is answered or the time is over. */
export async function callScript(link: Link, call: Call, deadlineMs: number): Promise<unknown> {
  const until = performance.now() + deadlineMs
  let failure: Failure | null = null
  let perhaps = false
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    const leftMs = until - performance.now()
    if (leftMs <= 0 || link.closed) throw outcomeOf(call.doing, failure, perhaps && call.effect)
    const byText = failure instanceof Refusal && failure.code === 'NOSCRIPT'
    const [reply, waited] = await link.send(commandsOf(call, byText), Math.min(leftMs, 2500))
    if (reply !== undefined && 'value' in reply && confirmed(call, waited)) return reply.value
    failure = failed(reply) ?? failed(waited) ?? new Unanswered('no reply')
    perhaps ||= leavesDoubt(failure)
    if (!isPassing(failure)) throw outcomeOf(call.doing, failure, perhaps && call.effect)
    if (failure instanceof Refusal && failure.code === 'MOVED') link.refresh()
    if (failure instanceof Unanswered) link.suspect()
    if (failure instanceof Refusal && failure.code === 'NOSCRIPT') continue
    await new Promise((resolve) => {
      setTimeout(resolve, Math.min(pauseMs, Math.max(0, until - performance.now())))
    })
    await link.whenReady(until - performance.now())
  }
}

function commandsOf({ script, keys, args, wait }: Call, byText: boolean): Command[] {
  const run: Command = [
    byText ? 'eval' : 'evalsha',
    byText ? script.text : script.sha,
    keys.length,
    ...keys,
    ...args,
  ]
  return wait ? [run, ['wait', wait.replicas, wait.timeoutMs]] : [run]
}

function confirmed({ wait, doing }: Call, waited: Reply | undefined): boolean {
  if (!wait) return true
  if (waited === undefined || 'failure' in waited) return false
  if (Number(waited.value) >= wait.replicas) return true
  throw new HeldlineError(
    'durability_timeout',
    `unable to ${doing} for sure; too few replicas answered in time`,
  )
}

function failed(reply: Reply | undefined): Failure | null {
  return reply !== undefined && 'failure' in reply ? reply.failure : null
}
