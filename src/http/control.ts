import { releaseAnswer, releaseBody, takeAnswer, takeBody } from '../protocol/http-control.ts'
import { audited } from '../core/audit.ts'
import { json, type Answer } from './answer.ts'
import { auditEntry } from './audit-entry.ts'
import type { Call } from './call.ts'
import { defined } from './defined.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'control' | 'audit'>

const CONTROL = '/v1/sessions/{session}/control'

/** Who speaks as the assistant. [P-14] */
export function controlRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'POST',
      path: `${CONTROL}/take`,
      summary: 'Take control',
      description:
        'From then on the messages of agents are refused with `not_controller`; their runs go on with everything else. What runs are just saying is completed as interrupted.',
      body: { schema: takeBody, required: false },
      answers: { 200: { about: 'The subject has control.', schema: takeAnswer } },
      errors: ['control_taken', 'session_closed'],
      handle: (call) => take(call, ports),
    },
    {
      method: 'POST',
      path: `${CONTROL}/release`,
      summary: 'Release control',
      description: 'With `manage`, also another’s.',
      body: { schema: releaseBody, required: false },
      answers: { 200: { about: 'Agents speak for themselves.', schema: releaseAnswer } },
      errors: ['not_controller'],
      handle: (call) => release(call, ports),
    },
  ]
}

async function take(call: Call, { control, audit }: Ports): Promise<Answer> {
  const { session, grant } = call
  const asked = defined(call.optional(takeBody))
  const act = () => control.take(session, grant, asked)
  if (asked.force !== true) return json(await act())
  return json(await audited(audit, auditEntry(call, 'control.force', { session }), act))
}

async function release(call: Call, { control }: Ports): Promise<Answer> {
  call.optional(releaseBody)
  return json({ released: await control.release(call.session, call.grant) })
}
