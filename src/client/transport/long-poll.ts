import type { Received, ReceivedOf } from '../received.ts'
import type { ClientError } from '../client-error.ts'
import { invalidAnswer } from '../http.ts'
import { readEvents, type EventsPage } from '../events-page.ts'
import type { Following } from './http-transport.ts'

const WAIT_S = 25
const TIMEOUT_MS = 35_000
const PAGE = 500

type Snapshot = ReceivedOf<'snapshot'>

/** Requests that are held until there is something: through whatever lets plain HTTP through. [P-9.4] */
export async function followByPolling(following: Following): Promise<void> {
  let { position } = following
  if (position !== null) following.opened()
  for (let wait = 0; !following.signal.aborted; wait = WAIT_S)
    position = await readOn(following, position, wait)
}

/**
 * Reads by requests until there is nothing more: the view, where there is no position, and what follows.
 * @param wait seconds that the first request is held where there is nothing
 * @returns the position that was reached
 */
export async function readOn(
  following: Following,
  from: string | null,
  wait: number,
): Promise<string> {
  const { session, clock } = following
  let position = from
  for (let held = wait; ; held = 0) {
    if (position === null) {
      const snapshot = await firstView(following)
      // Only now: a session that may not be read refuses the attach.
      if (following.position === null) following.opened()
      following.frame(snapshot)
      position = snapshot.position
    }
    const page = await poll(following, position, held)
    if (page !== null && page.events.length > 0)
      following.frame({ type: 'events', session, events: page.events })
    position = page?.position ?? null
    if (page === null || position === null) continue
    following.frame({ type: 'heartbeat', at: clock.now(), heads: { [session]: page.head } })
    if (!page.more) return position
  }
}

/** What follows a position; `null` after a reset has been told: the view must be read anew. */
async function poll(
  following: Following,
  position: string,
  wait: number,
): Promise<EventsPage | null> {
  const { http, session, signal } = following
  try {
    return await readEvents(http, {
      session,
      after: position,
      limit: PAGE,
      ...(wait > 0 && { wait }),
      timeoutMs: TIMEOUT_MS,
      renew: false,
      signal,
    })
  } catch (error) {
    if (!(error instanceof http.kit.ClientError) || error.code !== 'position_unrecoverable')
      throw error
    following.frame(resetOf(session, position, error))
    return null
  }
}

function resetOf(session: string, position: string, error: ClientError): Received {
  const { reason, floor, head } = error.facts
  return {
    type: 'reset',
    session,
    // The problem carries the reason of the reset that a socket would tell.
    reason: (typeof reason === 'string' ? reason : 'trimmed') as ReceivedOf<'reset'>['reason'],
    floor: typeof floor === 'number' ? floor : 0,
    head: typeof head === 'string' ? head : position,
    position,
  }
}

/**
 * The view in pages, the latest first, at the position of the first, whose `rest` is the view's. [P-9.6] An older page may be folded
 * at a later position: its messages are then newer than the view says, and the fold passes over the events that they hold already.
 * Where the log was made anew in between, the position is of the old one, and the next poll says so.
 */
async function firstView(following: Following): Promise<Snapshot> {
  const latest = await readPage(following)
  const messages = [...latest.frame.messages]
  let { more } = latest
  while (more) {
    const older = await readPage(following, messages[0]?.id)
    messages.unshift(...older.frame.messages)
    more = older.more
  }
  return { ...latest.frame, messages }
}

/** A page of messages as a snapshot: the latest, or those before a message. */
async function readPage({ http, session, signal }: Following, before?: string) {
  const { ClientError, readFrame } = http.kit
  const path = `/v1/sessions/${encodeURIComponent(session)}/messages`
  try {
    const body = await http.json({ path, query: { before }, renew: false, signal })
    const frame = readFrame({ ...body, type: 'snapshot', session, last: true })
    if (frame?.type === 'snapshot' && frame.rest !== undefined)
      return { frame, more: body['more'] === true && frame.messages.length > 0 }
  } catch (cause) {
    if (!(cause instanceof ClientError) || cause.code !== 'message_not_found') throw cause
    const message = 'unable to read the messages; the log was made anew meanwhile'
    throw new ClientError('disconnected', message, { retryable: true, cause })
  }
  throw invalidAnswer(http.kit, 'unable to read the messages')
}
