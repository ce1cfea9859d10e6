import { HeldlineError } from '../protocol/errors.ts'
import { deliveriesAnswer, deliveryAnswer } from '../protocol/http-deliveries.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import { choice } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'deliveries'>

const ALL = '/v1/sessions/{session}/deliveries'
const STATUSES = ['all', 'pending', 'failed']

/** Whether results have reached the people whom they are for. [P-15.4] */
export function deliveryRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'GET',
      path: ALL,
      summary: 'List the deliveries that are pending or failed',
      description: 'In the order in which they came; of those that failed, the latest 50.',
      query: {
        status: choice(
          ['all', 'pending', 'failed'],
          'Only `pending` or only `failed` ones; `all`, the default, lists both.',
        ),
      },
      answers: { 200: { about: 'They are listed.', schema: deliveriesAnswer } },
      handle: (call) => list(call, ports),
    },
    {
      method: 'POST',
      path: `${ALL}/{delivery}/replay`,
      summary: 'Send a failed delivery again',
      description:
        'From the first try on, at once. One that waits and was never sent is sent without more waiting.',
      answers: { 202: { about: 'It is pending, and due.', schema: deliveryAnswer } },
      errors: ['delivery_not_found', 'delivery_closed', 'session_limit'],
      handle: (call) => replay(call, ports),
    },
  ]
}

async function list(call: Call, { deliveries }: Ports): Promise<Answer> {
  const wanted = call.query().get('status') ?? 'all'
  if (!STATUSES.includes(wanted)) {
    throw new HeldlineError(
      'invalid_request',
      `unable to list; status is one of ${STATUSES.join(', ')}`,
    )
  }
  const all = await deliveries.list(call.session)
  return json({
    deliveries: all.filter(({ status }) => wanted === 'all' || status === wanted),
  })
}

async function replay(call: Call, { deliveries }: Ports): Promise<Answer> {
  return json(await deliveries.replay(call.session, call.id('delivery')), 202)
}
