import { demandAppend } from '../core/append-rights.ts'
import { ackOf } from '../core/connection-ops.ts'
import { countAppend } from '../core/metrics.ts'
import type { Draft } from '../core/new-event.ts'
import type { Appended } from '../core/transitions/append.ts'
import { json, type Answer } from './answer.ts'
import { retryOf, type Retry } from './append-headers.ts'
import type { Call } from './call.ts'
import { draftsOf } from './drafts.ts'
import type { HttpPorts } from './ports.ts'

type Ports = Pick<HttpPorts, 'limits' | 'durability' | 'metrics'>

/** Puts events that a caller may append where its request wants them. */
export type AppendTo = (call: Call, drafts: readonly Draft[], retry: Retry) => Promise<Appended>

/** Into the session, in the caller's own name. [P-9.3] */
export function appendToSession({ sessions }: Pick<HttpPorts, 'sessions'>): AppendTo {
  return ({ session, by }, drafts, retry) =>
    sessions.append({ session, drafts, by, ...requestOf(retry) })
}

/** What makes a retry harmless, as the core takes it. */
export function requestOf({ key, producer }: Retry): {
  readonly idempotencyKey?: string
  readonly producer?: NonNullable<Retry['producer']>
} {
  return {
    ...(key !== undefined && { idempotencyKey: key }),
    ...(producer !== undefined && { producer }),
  }
}

/** Appends what one body holds: all of it, or nothing. [P-9.3] */
export async function appendJson(
  call: Call,
  { limits, durability, metrics }: Ports,
  appendTo: AppendTo,
): Promise<Answer> {
  const { session, grant } = call
  const retry = retryOf(call)
  const drafts = demandAppend(grant, session, draftsOf(call.json(), limits.maxEventBytes))
  const append = (): Promise<Appended> => appendTo(call, drafts, retry)
  const done = await countAppend(metrics, 'http', drafts, append)
  return json({ session, ...ackOf(done), durability })
}
