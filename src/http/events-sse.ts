import type { FastifyReply } from 'fastify'
import type { SessionId } from '../protocol/ids.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { genesis, type Position } from '../protocol/position.ts'
import { STREAMED } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpPorts } from './ports.ts'
import { positionOrSerialOf, wholeOf } from './query.ts'
import { SseReader } from './sse-reader.ts'
import type { Streams } from './streams.ts'

const MAX_PADDING = 8192

/** Follows a session by server-sent events. [P-9.5] */
export async function streamEvents(
  call: Call,
  reply: FastifyReply,
  ports: HttpPorts,
  _limits: HttpLimits,
  streams: Streams,
): Promise<typeof STREAMED> {
  const query = call.query()
  const padding = wholeOf('padding', query.get('padding') ?? '0', MAX_PADDING)
  const catchup = catchupOf(query.get('catchup') ?? 'auto')
  // An empty one is what a browser sends that has not been given an id yet.
  const asked = call.header('last-event-id') || query.get('after')
  const from = asked === undefined ? null : positionOrSerialOf(asked)
  if (ports.draining())
    throw new HeldlineError('draining', 'unable to follow; this node is going down')
  streams.demandRoom()
  const position = typeof from === 'number' ? await positionAt(call.session, from, ports) : from
  const reader = new SseReader(call, reply, ports, padding)
  streams.add(reader)
  reader.onClose(() => streams.delete(reader))
  await reader.open({ position, catchup })
  return STREAMED
}

function catchupOf(text: string): 'auto' | 'events' {
  if (text === 'auto' || text === 'events') return text
  throw new HeldlineError('invalid_request', 'unable to follow; catchup is auto or events')
}

/**
 * The position that a bare serial stands for, in the log that is there now. Where there is none, one that the log refuses: the reader is told
 * by a reset like any other.
 */
async function positionAt(
  session: SessionId,
  serial: number,
  { sessions }: Pick<HttpPorts, 'sessions'>,
): Promise<Position> {
  const head = await sessions.head(session)
  const { epoch } = head
  if (serial === head.head) return { epoch, serial, tag: head.tag }
  if (serial === head.floor) return { epoch, serial, tag: head.floorTag }
  if (serial < head.floor || serial > head.head) return { ...genesis(epoch), serial }
  const { events } = await sessions.events(session, serial - 1, { limit: 1, waitMs: 0 })
  return { ...genesis(epoch), serial, ...(events[0] && { tag: events[0].tag }) }
}
