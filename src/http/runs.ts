import { demandSize } from '../core/raw-data.ts'
import { HeldlineError } from '../protocol/errors.ts'
import {
  adoptAnswer,
  adoptBody,
  cancelAnswer,
  cancelBody,
  runAnswer,
  runsAnswer,
  startAnswer,
  startBody,
} from '../protocol/http-runs.ts'
import { formatPosition } from '../protocol/position.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import { defined } from './defined.ts'
import { choice } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'runs' | 'limits'>

const ALL = '/v1/sessions/{session}/runs'
const ONE = `${ALL}/{run}`

/** Runs, for those who start, take over, watch and cancel them. [P-10] */
export function runRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'POST',
      path: ALL,
      summary: 'Start a run, or find the one that the trigger has',
      description:
        'One run a trigger. Where it has one already, the answer has an `epoch` only for the producer that holds it.',
      body: { schema: startBody, required: false },
      answers: {
        200: { about: 'The run that is there already.', schema: startAnswer },
        201: { about: 'The run, which was started now.', schema: startAnswer },
      },
      errors: ['run_exists', 'run_over', 'session_closed', 'session_limit'],
      handle: (call) => start(call, ports),
    },
    {
      method: 'GET',
      path: ALL,
      summary: 'List the runs',
      description:
        'In the order in which they were started: all that live, and the latest 50 that are over.',
      query: { status: choice(['live', 'over', 'all'], 'live, over or all (the default).') },
      answers: { 200: { about: 'Runs, as they are at `position`.', schema: runsAnswer } },
      handle: (call) => list(call, ports),
    },
    {
      method: 'GET',
      path: ONE,
      summary: 'Get a run',
      answers: { 200: { about: 'The run.', schema: runAnswer } },
      errors: ['run_not_found'],
      handle: async (call) => json(await ports.runs.get(call.session, call.id('run'))),
    },
    {
      method: 'POST',
      path: `${ONE}/adopt`,
      summary: 'Take over a run that lives or is lost',
      description:
        'With the answer, every earlier epoch is refused. The same producer asking again gets the same epoch.',
      body: { schema: adoptBody, required: false },
      answers: { 200: { about: 'The run is yours.', schema: adoptAnswer } },
      errors: ['run_not_found', 'run_over', 'session_closed', 'session_limit'],
      handle: (call) => adopt(call, ports),
    },
    {
      method: 'POST',
      path: `${ONE}/cancel`,
      summary: 'Cancel a run',
      description:
        'Its open messages are completed as interrupted, and nothing of the run follows. Cancelling what is over changes nothing.',
      body: { schema: cancelBody, required: false },
      answers: { 200: { about: 'What the run is.', schema: cancelAnswer } },
      errors: ['run_not_found'],
      handle: (call) => cancel(call, ports),
    },
  ]
}

async function start(call: Call, { runs, limits }: Ports): Promise<Answer> {
  const { session, by } = call
  const body = call.optional(startBody)
  demandSize('metadata', JSON.stringify(body.metadata ?? {}), limits.maxEventBytes)
  const { leaseMs = limits.defaultLeaseMs } = body
  if (leaseMs < limits.minLeaseMs || leaseMs > limits.maxLeaseMs) {
    throw new HeldlineError(
      'invalid_request',
      `unable to start; leaseMs is from ${limits.minLeaseMs} to ${limits.maxLeaseMs}`,
      { facts: { minLeaseMs: limits.minLeaseMs, maxLeaseMs: limits.maxLeaseMs } },
    )
  }
  const { epoch, ...started } = await runs.start({ ...defined(body), session, by })
  return json({ ...started, ...(epoch !== null && { epoch }) }, started.created ? 201 : 200)
}

async function adopt(call: Call, { runs }: Ports): Promise<Answer> {
  const { session, by } = call
  const run = call.id('run')
  return json({
    run,
    ...(await runs.adopt({ ...defined(call.optional(adoptBody)), session, run, by })),
  })
}

async function cancel(call: Call, { runs }: Ports): Promise<Answer> {
  const { session, by } = call
  const run = call.id('run')
  const done = await runs.cancel({ ...defined(call.optional(cancelBody)), session, run, by })
  return json({ run, ...done })
}

async function list(call: Call, { runs }: Ports): Promise<Answer> {
  const status = call.query().get('status') ?? 'all'
  if (status !== 'live' && status !== 'over' && status !== 'all') {
    throw new HeldlineError('invalid_request', 'unable to read; status is live, over or all')
  }
  const { position, ...found } = await runs.list(call.session, status)
  return json({ ...found, position: formatPosition(position) })
}
