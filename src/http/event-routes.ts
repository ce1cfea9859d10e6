import { appendAnswer, appendBody, appendLine, eventsAnswer } from '../protocol/http.ts'
import { newEventSchema } from '../protocol/frames-up.ts'
import { ID_PATTERN } from '../protocol/ids.ts'
import { appendStream } from './append-stream.ts'
import { appendJson, appendToSession } from './events-append.ts'
import { EventLines } from './events-ndjson.ts'
import { readEvents } from './events-read.ts'
import { streamEvents } from './events-sse.ts'
import type { HttpLimits } from './limits.ts'
import { choice, like, whole } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import { limitParameter } from './query.ts'
import type { Route } from './route.ts'
import type { Streams } from './streams.ts'

const PATH = '/v1/sessions/{session}/events'

/** The headers that make a retry harmless. */
export const idempotency = {
  'Idempotency-Key': like(
    ID_PATTERN,
    'Names the request: a retry with the same key and content changes nothing.',
  ),
  'Producer-Id': like(ID_PATTERN, 'With the two below, numbers the events of one producer.'),
  'Producer-Epoch': whole(0, null, 'A higher one takes over, a lower one is refused.'),
  'Producer-Seq': whole(0, null, 'The number of the first event of the request.'),
}

export const appendErrors = [
  'session_closed',
  'message_exists',
  'message_not_found',
  'message_closed',
  'reserved_type',
  'unknown_type',
  'idempotency_conflict',
  'invalid_idempotency_key',
  'invalid_producer',
  'producer_fenced',
  'producer_gap',
  'contention',
  'outcome_unknown',
  'durability_timeout',
  'storage_full',
] as const

/** Events: appended, read, followed. [P-9.3] [P-9.4] [P-9.5] */
export function eventRoutes(
  ports: HttpPorts,
  limits: HttpLimits,
  streams: Streams,
): readonly Route[] {
  const appendTo = appendToSession(ports)
  return [
    {
      method: 'POST',
      path: PATH,
      summary: 'Append one event, or an array of up to 1,000',
      description: 'All of them, with neighbouring serials, or none. `data` is kept byte for byte.',
      headers: idempotency,
      body: { schema: appendBody, required: true, maxBytes: limits.appendBytes },
      answers: {
        200: { about: 'They are in the log, as durably as it says.', schema: appendAnswer },
      },
      errors: appendErrors,
      handle: (call) => appendJson(call, ports, appendTo),
    },
    {
      method: 'POST',
      path: PATH,
      variant: 'application/x-ndjson',
      summary: 'Append a stream of lines, one event each',
      description:
        'Lines are appended as they arrive, however long that takes; each batch is acknowledged by a line. An error after that is the last line, `{"error": …}`, and says in `lines` how many lines stand. With an Idempotency-Key, the lines that bring no id of their own are recognised in a retry by their number.',
      headers: idempotency,
      body: { schema: newEventSchema, required: true },
      answers: {
        200: { about: 'A line for each batch.', schema: appendLine, type: 'application/x-ndjson' },
      },
      errors: appendErrors,
      handle: (call, reply) =>
        appendStream(
          call,
          reply,
          { ports, limits, streams, appendTo },
          () => new EventLines(ports.limits.maxEventBytes),
        ),
    },
    {
      method: 'GET',
      path: PATH,
      summary: 'Read events',
      description:
        'From `after` or `from` on; or, with `before` or `to` alone, the last ones below. `position` is where to read on.',
      query: {
        after: 'A position or a serial.',
        before: whole(0, null, 'A serial: only events below it.'),
        from: whole(
          0,
          null,
          'Milliseconds since 1970: only events at or after it. Not together with after.',
        ),
        to: whole(0, null, 'Milliseconds since 1970: only events at or before it.'),
        limit: limitParameter(100, limits.eventsPage),
        wait: whole(
          0,
          limits.waitMs / 1000,
          'Seconds: with nothing to give, wait so long for an event. Not with before or to.',
        ),
      },
      answers: { 200: { about: 'Events, in order.', schema: eventsAnswer } },
      errors: ['position_unrecoverable', 'invalid_position', 'invalid_limit', 'event_corrupt'],
      handle: (call, reply) => readEvents(call, reply, ports, limits, streams),
    },
    {
      method: 'GET',
      path: PATH,
      variant: 'text/event-stream',
      summary: 'Follow a session by server-sent events',
      description:
        'The frames of a WebSocket, one message each: `event` is the frame’s type, `id` the position that it reaches. Without Last-Event-ID or `after`, a snapshot comes first.',
      query: {
        after: 'A position or a serial, for a first connection.',
        catchup: choice(
          ['auto', 'events'],
          'auto (the default) or events: every event, however many were missed.',
        ),
        padding: whole(
          0,
          8192,
          'How many bytes of comment come first, for proxies that hold back small answers.',
        ),
      },
      headers: { 'Last-Event-ID': 'The position to resume from. Goes before after.' },
      answers: { 200: { about: 'Frames, until one side ends it.', type: 'text/event-stream' } },
      errors: ['invalid_position', 'connection_limit', 'draining'],
      handle: (call, reply) => streamEvents(call, reply, ports, limits, streams),
    },
  ]
}
