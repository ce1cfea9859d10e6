import type { DownFrame, DownFrameOf } from '../../protocol/frames-down.ts'
import { parsePosition } from '../../protocol/position.ts'
import { ClientError } from '../client-error.ts'
import { readFrame } from '../read-frame.ts'
import type { Following } from './http-transport.ts'

const WAIT_S = 25
const TIMEOUT_MS = 35_000
const PAGE = 500

/** Requests that are held until there is something: through whatever lets plain HTTP through. [P-9.4] */
export async function followByPolling(following: Following): Promise<void> {
  const { session, signal, clock } = following
  let position = following.position
  if (position !== null) following.opened()
  let wait = 0
  while (!signal.aborted) {
    if (position === null) {
      const snapshot = await firstView(following)
      // Only now: a session that may not be read refuses the attach.
      if (following.position === null) following.opened()
      following.frame(snapshot)
      position = snapshot.position
    }
    const page = await poll(following, position, wait)
    if (page === null) {
      position = null
      continue
    }
    if (page.events.length > 0) following.frame({ type: 'events', session, events: page.events })
    position = page.position
    following.frame({ type: 'heartbeat', at: clock.now(), heads: { [session]: page.head } })
    wait = page.more ? 0 : WAIT_S
  }
}

interface Page {
  readonly events: DownFrameOf<'events'>['events']
  readonly position: string
  readonly head: string
  readonly more: boolean
}

/** What follows a position; `null` after a reset has been told: the view must be read anew. */
async function poll(following: Following, position: string, wait: number): Promise<Page | null> {
  const { http, session, signal } = following
  try {
    const body = await http.json({
      path: `/v1/sessions/${encodeURIComponent(session)}/events`,
      query: { after: position, limit: PAGE, wait: wait === 0 ? undefined : wait },
      timeoutMs: TIMEOUT_MS,
      renew: false,
      signal,
    })
    const frame = readFrame({ type: 'events', session, events: body['events'] })
    if (frame?.type !== 'events')
      throw new ClientError('invalid_answer', 'unable to read the events')
    const { position: reached, head, more } = body
    return {
      events: frame.events,
      position: String(reached),
      head: String(head),
      more: more === true,
    }
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'position_unrecoverable') throw error
    following.frame(resetOf(session, position, error))
    return null
  }
}

function resetOf(session: string, position: string, error: ClientError): DownFrame {
  const { reason, floor, head } = error.facts
  return {
    type: 'reset',
    session,
    // The problem carries the reason of the reset that a socket would tell.
    reason: (typeof reason === 'string' ? reason : 'trimmed') as DownFrameOf<'reset'>['reason'],
    floor: typeof floor === 'number' ? floor : 0,
    head: typeof head === 'string' ? head : position,
    position,
  }
}

/**
 * The view in pages, the latest first, at the position of the first. An older page may be folded at a later position: its
 * messages are then newer than the view says, and the fold passes over the events that they hold already.
 */
async function firstView(following: Following): Promise<DownFrameOf<'snapshot'>> {
  const { http, session, signal, clock } = following
  const path = `/v1/sessions/${encodeURIComponent(session)}`
  const { metadata, createdAt, closed } = await http.json({ path, renew: false, signal })
  const pages: DownFrameOf<'snapshot'>['messages'][] = []
  let position: string | null = null
  let before: string | undefined
  do {
    const body = await http.json({ path: `${path}/messages`, query: { before }, signal })
    const page = readFrame({ type: 'snapshot', session, last: false, ...body })
    if (page?.type !== 'snapshot')
      throw new ClientError('invalid_answer', 'unable to read the messages')
    position ??= page.position
    if (epochOf(page.position) !== epochOf(position)) {
      throw new ClientError('disconnected', 'the log was made anew while it was read', {
        retryable: true,
      })
    }
    pages.unshift(page.messages)
    before = body['more'] === true ? page.messages[0]?.id : undefined
  } while (before !== undefined)
  const messages = pages.flat()
  const members = await membersOf(following)
  const rest = {
    tip: messages.at(-1)?.id ?? null,
    members,
    metadata: metadata ?? {},
    createdAt: createdAt ?? null,
    // When it was closed is told by its event alone; that it is, matters.
    closedAt: closed === true ? clock.now() : null,
  }
  return { type: 'snapshot', session, position, messages, rest, last: true }
}

function epochOf(position: string): string | undefined {
  return parsePosition(position)?.epoch
}

/** Who is there is for those to know who may; the events that follow correct it. */
async function membersOf({ http, session, signal }: Following): Promise<unknown[]> {
  try {
    const path = `/v1/sessions/${encodeURIComponent(session)}/presence`
    const { members } = await http.json({ path, signal })
    return Array.isArray(members) ? members : []
  } catch (error) {
    if (error instanceof ClientError && error.facts['status'] === 403) return []
    throw error
  }
}
