import type { FastifyReply } from 'fastify'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import { whole, type Parameter } from './parameter.ts'
import { wholeOf } from './query.ts'
import type { Streams } from './streams.ts'

/** How long a request wants to wait, from its query. @throws HeldlineError `invalid_request` */
export function waitMsOf(query: ReadonlyMap<string, string>, { waitMs }: HttpLimits): number {
  const text = query.get('wait')
  return text === undefined ? 0 : 1000 * wholeOf('wait', text, waitMs / 1000)
}

/** What the query's `wait` is, in the documentation. @param meanwhile what is so for as long as is waited */
export function waitParameter({ waitMs }: HttpLimits, meanwhile: string): Parameter {
  const most = waitMs / 1000
  const about = `Whole seconds, 0 to ${most}: for how long the answer may be held back while ${meanwhile}.`
  return whole(0, most, about)
}

export interface Wait {
  readonly waitMs: number
  /** Only where anything is waited for: nothing else takes room. */
  readonly signal?: AbortSignal
}

/** A wait of so many milliseconds, which ends with its client, and with this node. @throws HeldlineError `draining`, `connection_limit` */
export function waitFor(waitMs: number, call: Call, reply: FastifyReply, streams: Streams): Wait {
  return waitMs === 0 ? { waitMs } : { waitMs, signal: endOfWait(call, reply, streams) }
}

function endOfWait(call: Call, reply: FastifyReply, streams: Streams): AbortSignal {
  const stop = new AbortController()
  streams.demandRoom()
  const end = (): void => stop.abort()
  const waiting = { leave: end, revoked: end, grant: call.grant }
  streams.add(waiting)
  call.onEnd(reply, () => {
    streams.delete(waiting)
    stop.abort()
  })
  return stop.signal
}
