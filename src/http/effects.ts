import { withRaw } from '../core/raw-data.ts'
import {
  decideBody,
  doneBody,
  effectAnswer,
  effectChangeAnswer,
  effectsAnswer,
  reserveAnswer,
  reserveBody,
} from '../protocol/http-effects.ts'
import { ID_PATTERN } from '../protocol/ids.ts'
import { json, jsonText, type Answer } from './answer.ts'
import { retryOf } from './append-headers.ts'
import type { Call } from './call.ts'
import { defined } from './defined.ts'
import { like } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import { rawMembers } from './raw-member.ts'
import type { Route } from './route.ts'
import { epochOf, NOT_HELD, RUN_EPOCH } from './run-epoch.ts'

type Ports = Pick<HttpPorts, 'effects'>

const ALL = '/v1/sessions/{session}/effects'
const ONE = `${ALL}/{effect}`

/** What must not happen twice: a payment, a mail. [P-13] */
export function effectRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'POST',
      path: ALL,
      summary: 'Reserve an effect before it happens',
      description:
        '`reserved` means: do it now, then record it. Any other status means: do not. Never name an effect by the id of a tool call: a retry has another.',
      headers: {
        ...RUN_EPOCH,
        'Idempotency-Key': like(
          ID_PATTERN,
          'Of this very request: sent again, it is answered `reserved` again, not `in_progress`.',
        ),
      },
      body: { schema: reserveBody, required: true },
      answers: {
        200: { about: 'It was reserved before.', schema: reserveAnswer },
        201: { about: 'It is reserved now.', schema: reserveAnswer },
      },
      errors: [...NOT_HELD, 'session_closed', 'session_limit', 'invalid_idempotency_key'],
      handle: (call) => reserve(call, ports),
    },
    {
      method: 'GET',
      path: ALL,
      summary: 'List the effects that are reserved or unknown',
      answers: { 200: { about: 'As the view has them.', schema: effectsAnswer } },
      handle: async (call) => json({ effects: await ports.effects.open(call.session) }),
    },
    {
      method: 'GET',
      path: ONE,
      summary: 'Get an effect',
      answers: { 200: { about: 'What it is.', schema: effectAnswer } },
      errors: ['effect_not_found'],
      handle: (call) => get(call, ports),
    },
    {
      method: 'POST',
      path: `${ONE}/done`,
      summary: 'Record that an effect has happened',
      description:
        'By the process that reserved it, also when it holds the run no more. The same result again changes nothing.',
      headers: RUN_EPOCH,
      body: { schema: doneBody, required: true },
      answers: { 200: { about: 'It is recorded.', schema: effectChangeAnswer } },
      errors: ['effect_not_found', 'effect_conflict'],
      handle: (call) => record(call, ports),
    },
    {
      method: 'POST',
      path: `${ONE}/decide`,
      summary: 'Decide on an effect of which nobody can tell whether it happened',
      description: '`done`: it did. `retry`: it did not, and may be reserved again.',
      body: { schema: decideBody, required: true },
      answers: { 200: { about: 'It is decided.', schema: effectChangeAnswer } },
      errors: ['effect_not_found', 'effect_conflict'],
      handle: (call) => decide(call, ports),
    },
  ]
}

async function reserve(call: Call, { effects }: Ports): Promise<Answer> {
  const { run, args, ...body } = call.object(reserveBody)
  const { session, by } = call
  const { key: idempotencyKey } = retryOf(call)
  const { created, result, ...reserved } = await effects.reserve({
    ...defined({ ...body, idempotencyKey }),
    session,
    claim: { run, epoch: epochOf(call) },
    args,
    by,
  })
  return jsonText(withRaw(reserved, { result }), created ? 201 : 200)
}

async function get(call: Call, { effects }: Ports): Promise<Answer> {
  const effect = call.id('effect')
  const { result, ...shown } = await effects.get(call.session, effect)
  return jsonText(withRaw({ effect, ...shown }, { result }))
}

async function record(call: Call, { effects }: Ports): Promise<Answer> {
  const { run } = call.object(doneBody)
  const { session, by } = call
  const effect = call.id('effect')
  const { result } = rawMembers(call.json(), 'result')
  await effects.record({ session, effect, claim: { run, epoch: epochOf(call) }, result, by })
  return json({ effect, status: 'done' })
}

async function decide(call: Call, { effects }: Ports): Promise<Answer> {
  const { outcome } = call.object(decideBody)
  const { session, by } = call
  const effect = call.id('effect')
  const { result } = rawMembers(call.json(), 'result')
  await effects.decide(
    { session, effect, by },
    outcome === 'done' ? { outcome, result } : { outcome },
  )
  return json({ effect, status: outcome })
}
