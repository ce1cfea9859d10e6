import { demandAppend } from '../core/append-rights.ts'
import { ackOf } from '../core/connection-ops.ts'
import { json, type Answer } from './answer.ts'
import { retryOf } from './append-headers.ts'
import type { Call } from './call.ts'
import { draftsOf } from './drafts.ts'
import type { HttpPorts } from './ports.ts'

type Ports = Pick<HttpPorts, 'sessions' | 'limits' | 'durability'>

/** Appends what one body holds: all of it, or nothing. [P-9.3] */
export async function appendJson(
  call: Call,
  { sessions, limits, durability }: Ports,
): Promise<Answer> {
  const { session, grant, by } = call
  const { key, producer } = retryOf(call)
  const drafts = demandAppend(grant, session, draftsOf(call.json(), limits.maxEventBytes))
  const done = await sessions.append({
    session,
    drafts,
    by,
    ...(key !== undefined && { idempotencyKey: key }),
    ...(producer !== undefined && { producer }),
  })
  return json({ session, ...ackOf(done), durability })
}
