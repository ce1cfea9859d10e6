import type { WireEvent } from '../protocol/event.ts'
import type { Position } from '../protocol/position.ts'
import { invalidAnswer, type Http, type HttpRequest } from './http.ts'

export interface EventsPage {
  readonly events: readonly WireEvent[]
  /** Where the page ends. */
  readonly position: string
  readonly reached: Position
  readonly head: string
  readonly more: boolean
}

export interface EventsQuery {
  readonly session: string
  /** A position or a serial. */
  readonly after: string
  readonly limit: number
  /** Seconds that the answer may wait for an event. */
  readonly wait?: number
  readonly timeoutMs?: number
  readonly renew?: boolean
  readonly signal: AbortSignal
}

/**
 * A page of a session's events. [P-9.4]
 * @throws ClientError `position_unrecoverable`, other refusals; `invalid_answer`, retryable
 */
export async function readEvents(
  http: Http,
  { session, after, limit, wait, ...request }: EventsQuery,
): Promise<EventsPage> {
  const path = `/v1/sessions/${encodeURIComponent(session)}/events`
  const asked: HttpRequest = { ...request, path, query: { after, limit, wait } }
  const { events, position, head, more } = await http.json(asked)
  const frame = http.kit.readFrame({ type: 'events', session, events })
  const reached = http.kit.parsePosition(position)
  if (frame?.type !== 'events' || reached === null) {
    throw invalidAnswer(http.kit, 'unable to read the events')
  }
  return {
    events: frame.events,
    position: String(position),
    reached,
    head: String(head),
    more: more === true,
  }
}
