import { newEventSchema } from '../protocol/frames-up.ts'
import { appendAnswer, appendBody, appendLine } from '../protocol/http.ts'
import { appendErrors, idempotency } from './event-routes.ts'
import { appendJson, requestOf, type AppendTo } from './events-append.ts'
import { appendLines } from './events-ndjson.ts'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'
import { claimOf, RUN_EPOCH } from './run-epoch.ts'
import type { Streams } from './streams.ts'

type Ports = Pick<HttpPorts, 'runs' | 'limits' | 'durability' | 'clock' | 'log'>

const PATH = '/v1/sessions/{session}/runs/{run}/events'

const headers = { ...RUN_EPOCH, ...idempotency }
const errors = [
  ...appendErrors,
  'run_not_found',
  'run_fenced',
  'run_over',
  'session_limit',
] as const

/** Events in the name of a run. [P-10.3] */
export function runEventRoutes(
  ports: Ports,
  limits: HttpLimits,
  streams: Streams,
): readonly Route[] {
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
      method: 'POST',
      path: PATH,
      variant: 'application/x-ndjson',
      summary: 'Append a stream of lines in the name of a run, one event each',
      description:
        'As in the session itself. When the run is cancelled, or another process holds it, the error is the last line. A stream in which no line comes is no sign of life.',
      headers,
      body: { schema: newEventSchema, required: true },
      answers: {
        200: { about: 'A line for each batch.', schema: appendLine, type: 'application/x-ndjson' },
      },
      errors,
      handle: (call, reply) =>
        appendLines(call, reply, ports, limits, streams, appendToRun(call, ports)),
    },
  ]
}

/** @throws HeldlineError `invalid_request` at once, where the header is missing */
function appendToRun(call: Call, { runs }: Pick<HttpPorts, 'runs'>): AppendTo {
  const claim = claimOf(call)
  return ({ session, by }, drafts, retry) =>
    runs.append({ session, drafts, by, claim, ...requestOf(retry) })
}
