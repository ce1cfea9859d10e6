import type { FastifyReply } from 'fastify'
import type { EventsPage } from '../core/read-events.ts'
import { headPosition } from '../core/judge.ts'
import type { LogHead, StoredEvent } from '../core/store.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import { formatPosition, type Position } from '../protocol/position.ts'
import { jsonText, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import { waitFor, waitMsOf } from './long-poll.ts'
import type { HttpPorts } from './ports.ts'
import { limitOf, positionOrSerialOf, serialOf, wholeOf } from './query.ts'
import type { Streams } from './streams.ts'
import { serialBefore } from './time-search.ts'

type Ports = Pick<HttpPorts, 'sessions'>

const DEFAULT_PAGE = 100

/** What a read asks for. `null`: not said. */
interface Asked {
  readonly after: Position | number | null
  readonly before: number | null
  readonly from: number | null
  readonly to: number | null
  readonly limit: number
  readonly waitMs: number
}

/** Reads events, forwards from a start, or backwards from an end. [P-9.4] */
export async function readEvents(
  call: Call,
  reply: FastifyReply,
  ports: Ports,
  limits: HttpLimits,
  streams: Streams,
): Promise<Answer> {
  const asked = parse(call.query(), limits)
  const { session } = call
  const end = await endOf(session, asked, ports)
  const start =
    asked.from === null ? asked.after : await serialBefore(ports.sessions, session, asked.from)
  if (end === null) {
    const options = { limit: asked.limit, ...waitFor(asked.waitMs, call, reply, streams) }
    const page = await ports.sessions.events(session, start ?? 0, options)
    return pageJson(page, page.events, page.position, page.position.serial < page.head.head)
  }
  return start === null
    ? readBackwards(session, end, asked.limit, ports, limits)
    : readRange(session, start, end, asked.limit, ports)
}

function parse(query: ReadonlyMap<string, string>, limits: HttpLimits): Asked {
  const number = (name: string, max: number): number | null => {
    const text = query.get(name)
    return text === undefined ? null : wholeOf(name, text, max)
  }
  const after = query.get('after')
  const before = query.get('before')
  const asked = {
    after: after === undefined ? null : positionOrSerialOf(after),
    before: before === undefined ? null : serialOf(before),
    from: number('from', Number.MAX_SAFE_INTEGER),
    to: number('to', Number.MAX_SAFE_INTEGER - 1),
    limit: limitOf(query.get('limit'), DEFAULT_PAGE, limits.eventsPage),
    waitMs: waitMsOf(query, limits),
  }
  if (asked.after !== null && asked.from !== null) {
    throw new HeldlineError('invalid_request', 'unable to read; after and from both name a start')
  }
  if (asked.waitMs > 0 && (asked.before !== null || asked.to !== null)) {
    throw new HeldlineError('invalid_request', 'unable to wait for what is below an end')
  }
  return asked
}

/** The last serial that may be given; `null`: whatever there is. */
async function endOf(
  session: SessionId,
  asked: Asked,
  { sessions }: Ports,
): Promise<number | null> {
  const below = asked.before === null ? null : Math.max(0, asked.before - 1)
  if (asked.to === null) return below
  const until = await serialBefore(sessions, session, asked.to + 1)
  return Math.min(until, below ?? until)
}

/** Forwards from a start, but not beyond an end. */
async function readRange(
  session: SessionId,
  start: Position | number,
  end: number,
  limit: number,
  { sessions }: Ports,
): Promise<Answer> {
  const page = await sessions.events(session, start, { limit, waitMs: 0 })
  const events = page.events.filter((event) => event.serial <= end)
  if (events.length === page.events.length) {
    return pageJson(
      page,
      events,
      page.position,
      page.position.serial < Math.min(end, page.head.head),
    )
  }
  return pageJson(page, events, reached(page, events), false)
}

/** Where a reader stands that was given the first of a page's events, or none of them. */
function reached(page: EventsPage, events: readonly StoredEvent[]): Position {
  const { epoch } = page.head
  const last = events.at(-1)
  if (last !== undefined) return { epoch, serial: last.serial, tag: last.tag }
  const [first] = page.events
  return first === undefined ? page.position : { epoch, serial: first.serial - 1, tag: first.prev }
}

/** The last events up to an end. A page that would be too large loses its oldest, never its newest. */
async function readBackwards(
  session: SessionId,
  end: number,
  limit: number,
  { sessions }: Ports,
  limits: HttpLimits,
): Promise<Answer> {
  const head = await sessions.head(session)
  const last = Math.min(end, head.head)
  const window = new Window(limits.pageBytes)
  let after = Math.max(head.floor, last - limit)
  while (after < last) {
    // From the floor is asked for as such: it may have moved on meanwhile.
    const from = after <= head.floor ? 0 : after
    const page = await sessions.events(session, from, {
      limit: Math.min(limit, last - after),
      waitMs: 0,
    })
    const events = page.events.filter((event) => event.serial <= last)
    window.add(events)
    const reachedSerial = events.at(-1)?.serial
    if (reachedSerial === undefined) break
    after = reachedSerial
  }
  const [first] = window.events
  const newest = window.events.at(-1)
  const position =
    newest === undefined
      ? atFloor(head)
      : { epoch: head.epoch, serial: newest.serial, tag: newest.tag }
  const more = first !== undefined && first.serial - 1 > head.floor
  return pageJson({ head, events: [], position }, window.events, position, more)
}

function atFloor({ epoch, floor, floorTag }: LogHead): Position {
  return { epoch, serial: floor, tag: floorTag }
}

/** The newest events that fit, at least one. */
class Window {
  events: StoredEvent[] = []
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(events: readonly StoredEvent[]): void {
    for (const event of events) this.#bytes += event.text.length
    this.events.push(...events)
    let drop = 0
    while (this.#bytes > this.#maxBytes && drop < this.events.length - 1) {
      this.#bytes -= this.events[drop]?.text.length ?? 0
      drop++
    }
    this.events = this.events.slice(drop)
  }
}

/** Events go in as the texts that they are. */
function pageJson(
  page: EventsPage,
  events: readonly StoredEvent[],
  position: Position,
  more: boolean,
): Answer {
  const { head } = page
  const texts = events.map((event) => event.text).join(',')
  return jsonText(
    `{"epoch":"${head.epoch}","events":[${texts}],"position":"${formatPosition(position)}",` +
      `"head":"${formatPosition(headPosition(head))}","floor":${head.floor},"more":${more}}`,
  )
}
