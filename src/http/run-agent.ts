import { demandSize } from '../core/raw-data.ts'
import { HeldlineError } from '../protocol/errors.ts'
import {
  finishBody,
  heartbeatAnswer,
  heartbeatBody,
  reportBody,
  resumeBody,
  statusAnswer,
  suspendBody,
} from '../protocol/http-runs.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import { defined } from './defined.ts'
import type { HttpPorts } from './ports.ts'
import { rawMembers } from './raw-member.ts'
import type { Route } from './route.ts'
import { claimOf, NOT_HELD, RUN_EPOCH } from './run-epoch.ts'

type Ports = Pick<HttpPorts, 'runs' | 'limits'>

const ONE = '/v1/sessions/{session}/runs/{run}'

const shared = {
  method: 'POST',
  headers: RUN_EPOCH,
} as const

/** What the agent that holds a run says of it. Each is a sign of life. [P-10.5] [P-10.6] [P-10.7] */
export function runAgentRoutes(ports: Ports): readonly Route[] {
  return [
    {
      ...shared,
      path: `${ONE}/heartbeat`,
      summary: 'Say that the agent is alive',
      description:
        'Of a run that is over it is answered, too: with `live: false`, and by what `status` says.',
      body: { schema: heartbeatBody, required: false },
      answers: { 200: { about: 'What the run is.', schema: heartbeatAnswer } },
      errors: ['run_not_found', 'run_fenced'],
      handle: (call) => heartbeat(call, ports),
    },
    {
      ...shared,
      path: `${ONE}/status`,
      summary: 'Tell people what the agent does',
      description:
        'What is left out stays as it was. `checkpoint` is what a process that adopts the run needs to go on.',
      body: { schema: reportBody, required: true },
      answers: { 200: { about: 'They are told.', schema: statusAnswer } },
      errors: NOT_HELD,
      handle: (call) => report(call, ports),
    },
    {
      ...shared,
      path: `${ONE}/suspend`,
      summary: 'Wait, without a sign of life',
      description: 'The process may end; whoever goes on adopts the run.',
      body: { schema: suspendBody, required: false },
      answers: { 200: { about: 'The run waits.', schema: statusAnswer } },
      errors: NOT_HELD,
      handle: (call) => suspend(call, ports),
    },
    {
      ...shared,
      path: `${ONE}/resume`,
      summary: 'Go on after a suspension',
      description: 'While a question of the run is open, it goes on waiting.',
      body: { schema: resumeBody, required: false },
      answers: { 200: { about: 'What the run is.', schema: statusAnswer } },
      errors: NOT_HELD,
      handle: (call) => resume(call, ports),
    },
    {
      ...shared,
      path: `${ONE}/finish`,
      summary: 'End a run as finished, or with an error as failed',
      description:
        'The messages that it has open are completed in the same commit. Ending it again in the same way changes nothing.',
      body: { schema: finishBody, required: false },
      answers: { 200: { about: 'It is over.', schema: statusAnswer } },
      errors: NOT_HELD,
      handle: (call) => finish(call, ports),
    },
  ]
}

async function heartbeat(call: Call, { runs }: Ports): Promise<Answer> {
  call.optional(heartbeatBody)
  const request = requestOf(call)
  return json({ run: request.claim.run, ...(await runs.heartbeat(request)) })
}

async function report(call: Call, { runs, limits }: Ports): Promise<Answer> {
  const request = requestOf(call)
  const { checkpoint: _, ...said } = call.object(reportBody)
  const { checkpoint } = rawMembers(call.json(), 'checkpoint')
  demandSize('checkpoint', checkpoint, limits.maxEventBytes)
  const raw = checkpoint === null ? {} : { rawCheckpoint: checkpoint }
  const { status } = await runs.report(request, { ...defined(said), ...raw })
  return json({ run: request.claim.run, status })
}

async function suspend(call: Call, { runs }: Ports): Promise<Answer> {
  const request = requestOf(call)
  const status = await runs.suspend({ ...request, ...defined(call.optional(suspendBody)) })
  return json({ run: request.claim.run, status })
}

async function resume(call: Call, { runs }: Ports): Promise<Answer> {
  const request = requestOf(call)
  call.optional(resumeBody)
  return json({ run: request.claim.run, status: await runs.resume(request) })
}

async function finish(call: Call, { runs, limits }: Ports): Promise<Answer> {
  const request = requestOf(call)
  const { error, deliverTo } = call.optional(finishBody)
  const output = call.body === undefined ? null : rawMembers(call.body, 'output').output
  demandSize('output', output, limits.maxEventBytes)
  if (error !== undefined && output !== null) {
    throw new HeldlineError(
      'invalid_request',
      'unable to finish; a run has an output or an error, not both',
    )
  }
  const to = deliverTo === undefined ? {} : { deliverTo }
  const status = await runs.finish(
    request,
    error === undefined
      ? { status: 'finished', ...to, ...(output !== null && { rawOutput: output }) }
      : { status: 'failed', ...to, error },
  )
  return json({ run: request.claim.run, status })
}

function requestOf(call: Call) {
  const { session, by } = call
  return { session, by, claim: claimOf(call) }
}
