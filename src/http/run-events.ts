import type { FastifyReply } from 'fastify'
import { newEventSchema } from '../protocol/frames-up.ts'
import { streamText } from '../protocol/http-formats.ts'
import { appendAnswer, appendBody, appendLine } from '../protocol/http.ts'
import { appendStream } from './append-stream.ts'
import { appendErrors, idempotency } from './event-routes.ts'
import { appendJson, requestOf, type AppendTo } from './events-append.ts'
import type { Call } from './call.ts'
import { readerFor } from './formats.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'
import { claimOf, NOT_HELD, RUN_EPOCH } from './run-epoch.ts'
import type { Streams } from './streams.ts'

type Ports = Pick<
  HttpPorts,
  'runs' | 'limits' | 'durability' | 'clock' | 'log' | 'random' | 'metrics'
>

const PATH = '/v1/sessions/{session}/runs/{run}/events'

const headers = { ...RUN_EPOCH, ...idempotency }
const errors = [...appendErrors, ...NOT_HELD, 'session_limit'] as const

const FORMAT = 'What a line is a chunk of: `ui-message-chunks` (AI SDK) or `ag-ui`.'
const MESSAGE =
  'The id of the message. Without it, the one that the framework gives; else one of the run and the Idempotency-Key.'
const PARENT =
  'The id of the message that this one follows: what the run answers, then what it said last. Empty: none. Without it, the latest of the session.'

/** Events in the name of a run. [P-10.3] */
export function runEventRoutes(
  ports: Ports,
  limits: HttpLimits,
  streams: Streams,
): readonly Route[] {
  const streamed = {
    method: 'POST',
    path: PATH,
    headers,
    answers: {
      200: { about: 'A line for each batch.', schema: appendLine, type: 'application/x-ndjson' },
    },
    errors,
    handle: (call: Call, reply: FastifyReply) => {
      const appendTo = appendToRun(call, ports)
      return appendStream(call, reply, { ports, limits, streams, appendTo }, readerFor(call, ports))
    },
  } as const
  return [
    {
      method: 'POST',
      path: PATH,
      summary: 'Append events in the name of a run',
      description:
        'As in the session itself, but only while the run lives and this epoch holds it. Each append is a sign of life.',
      headers,
      body: { schema: appendBody, required: true, maxBytes: limits.appendBytes },
      answers: {
        200: { about: 'They are in the log, as durably as it says.', schema: appendAnswer },
      },
      errors,
      handle: (call) => appendJson(call, ports, appendToRun(call, ports)),
    },
    {
      ...streamed,
      variant: 'application/x-ndjson',
      summary: 'Append a stream of lines in the name of a run, one event or one chunk each',
      description:
        'As in the session itself; with `format`, each line is a chunk that a framework streams, and all of them are one message. When the run is cancelled, or another process holds it, the error is the last line. A stream in which no line comes is no sign of life.',
      query: { format: FORMAT, message: MESSAGE, parent: PARENT },
      body: { schema: newEventSchema, required: true },
    },
    {
      ...streamed,
      variant: 'text/event-stream',
      summary:
        'Append what a framework streams as server-sent events, one chunk each, as a message',
      description:
        'As lines with `format`, which is needed here. A line `data: [DONE]` says nothing.',
      query: { format: FORMAT, message: MESSAGE, parent: PARENT },
      body: { schema: streamText, required: true },
    },
    {
      ...streamed,
      variant: 'text/plain',
      summary: 'Append text as it arrives, as a message',
      description: 'UTF-8, of any length, over any length of time; completed at its end.',
      query: { message: MESSAGE, parent: PARENT },
      body: { schema: streamText, required: true },
    },
  ]
}

/** @throws HeldlineError `invalid_request` at once, where the header is missing */
function appendToRun(call: Call, { runs }: Pick<HttpPorts, 'runs'>): AppendTo {
  const claim = claimOf(call)
  return ({ session, by }, drafts, retry) =>
    runs.append({ session, drafts, by, claim, ...requestOf(retry) })
}
