import type { FastifyReply } from 'fastify'
import { ackOf } from '../core/connection-ops.ts'
import {
  cancelInputAnswer,
  cancelInputBody,
  deliverAnswer,
  deliverBody,
  inputAnswer,
  inputBody,
  inputFateAnswer,
  inputsAnswer,
} from '../protocol/http-inputs.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import { defined } from './defined.ts'
import type { HttpLimits } from './limits.ts'
import { waitFor, waitMsOf, waitParameter } from './long-poll.ts'
import type { HttpPorts } from './ports.ts'
import { rawMembers } from './raw-member.ts'
import type { Route } from './route.ts'
import { epochOf, NOT_HELD, RUN_EPOCH } from './run-epoch.ts'
import type { Streams } from './streams.ts'

type Ports = Pick<HttpPorts, 'inputs' | 'durability'>

const ALL = '/v1/sessions/{session}/inputs'
const ONE = `${ALL}/{input}`

/** What people send to agents. [P-11.1] [P-11.3] [P-11.4] */
export function inputRoutes(ports: Ports, limits: HttpLimits, streams: Streams): readonly Route[] {
  return [
    {
      method: 'POST',
      path: ALL,
      summary: 'Send something to the agent',
      description:
        '`queue` waits for the next run, `steer` is for the next step of the one that lives, `interrupt` ends what lives at once. ' +
        'With `parts`, people read it as a message of the user, by the same id, whose parent is `parent`: that of an earlier message makes it an edit of that one. ' +
        'Without `parts`, `parent` is the message that is to be answered again. The same id again changes nothing.',
      body: { schema: inputBody, required: true },
      answers: {
        200: {
          about: 'It was there already; or it came too late, and was not kept.',
          schema: inputAnswer,
        },
        201: { about: 'It was taken.', schema: inputAnswer },
      },
      errors: [
        'run_not_found',
        'message_exists',
        'session_closed',
        'session_limit',
        'idempotency_conflict',
      ],
      handle: (call) => receive(call, ports),
    },
    {
      method: 'GET',
      path: ALL,
      summary: 'List the inputs that wait',
      description: 'The oldest first. One may be seen more than once until it is delivered.',
      query: { wait: waitParameter(limits, 'no input waits') },
      answers: { 200: { about: 'Those that wait.', schema: inputsAnswer } },
      errors: ['connection_limit', 'draining'],
      handle: (call, reply) => list(call, reply, ports, limits, streams),
    },
    {
      method: 'GET',
      path: ONE,
      summary: 'Read what became of an input',
      query: { wait: waitParameter(limits, 'it waits for an agent') },
      answers: { 200: { about: 'What became of it.', schema: inputFateAnswer } },
      errors: ['input_not_found', 'connection_limit', 'draining'],
      handle: (call, reply) => fate(call, reply, ports, limits, streams),
    },
    {
      method: 'POST',
      path: `${ONE}/deliver`,
      summary: 'Take an input for a run',
      description:
        'From then on it is that run’s alone. The same run taking it again changes nothing. `parent` is what the first message of the run’s answer names as its parent.',
      headers: RUN_EPOCH,
      body: { schema: deliverBody, required: true },
      answers: { 200: { about: 'It is the run’s.', schema: deliverAnswer } },
      errors: ['input_not_found', 'input_taken', ...NOT_HELD],
      handle: (call) => deliver(call, ports),
    },
    {
      method: 'POST',
      path: `${ONE}/cancel`,
      summary: 'Take an input back',
      description:
        'One that waits is over; the run that it triggered is cancelled; and where it has triggered none yet, it never will.',
      body: { schema: cancelInputBody, required: false },
      answers: { 200: { about: 'What became of it.', schema: cancelInputAnswer } },
      handle: (call) => cancel(call, ports),
    },
  ]
}

async function receive(call: Call, { inputs, durability }: Ports): Promise<Answer> {
  const { session, by } = call
  const { parts: _, data: __, ...body } = call.object(inputBody)
  const raw = rawMembers(call.json(), 'parts', 'data')
  const taken = await inputs.receive({
    ...defined(body),
    session,
    by,
    rawParts: raw.parts,
    rawData: raw.data,
  })
  const { input, outcome, created, epoch, serials } = taken
  const duplicates = created ? 0 : serials.length
  const ack = ackOf({ epoch, serials, duplicates, committed: null })
  return json({ input, outcome, session, ...ack, durability }, created ? 201 : 200)
}

async function list(
  call: Call,
  reply: FastifyReply,
  { inputs }: Ports,
  limits: HttpLimits,
  streams: Streams,
): Promise<Answer> {
  const wait = waitFor(waitMsOf(call.query(), limits), call, reply, streams)
  return json({ inputs: await inputs.waiting(call.session, wait) })
}

async function fate(
  call: Call,
  reply: FastifyReply,
  { inputs }: Ports,
  limits: HttpLimits,
  streams: Streams,
): Promise<Answer> {
  const input = call.id('input')
  const wait = waitFor(waitMsOf(call.query(), limits), call, reply, streams)
  const { status, run, step } = await inputs.settled(call.session, input, wait)
  return json({ input, ...defined({ status, run: run ?? undefined, step }) })
}

async function deliver(call: Call, { inputs }: Ports): Promise<Answer> {
  const { session, by } = call
  const input = call.id('input')
  const { run, ...body } = call.object(deliverBody)
  const claim = { run, epoch: epochOf(call) }
  const { parent } = await inputs.deliver({ ...defined(body), session, input, claim, by })
  return json({ input, run, ...(parent !== undefined && { parent }) })
}

async function cancel(call: Call, { inputs }: Ports): Promise<Answer> {
  const { session, by } = call
  const input = call.id('input')
  const body = defined(call.optional(cancelInputBody))
  return json({ input, ...(await inputs.cancel({ ...body, session, input, by })) })
}
