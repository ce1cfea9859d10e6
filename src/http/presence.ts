import type { FastifyReply } from 'fastify'
import { MEMBER_KINDS, type MemberKind } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { memberAnswer, presenceAnswer, presenceBody } from '../protocol/http.ts'
import { json, NO_CONTENT, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import { waitFor, waitMsOf, waitParameter } from './long-poll.ts'
import { choice } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'
import type { Streams } from './streams.ts'

type Ports = Pick<HttpPorts, 'views' | 'presence' | 'limits' | 'attached'>

const ALL = '/v1/sessions/{session}/presence'
const ONE = `${ALL}/{member}`
/** Who speaks for a member that has no socket: any request of its subject, so all of them have one name. */
const CONNECTION = 'http'

/** Who is there, for those without a socket. [P-5.5] */
export function presenceRoutes(
  ports: Ports,
  limits: HttpLimits,
  streams: Streams,
): readonly Route[] {
  return [
    {
      method: 'GET',
      path: ALL,
      summary: 'Get the members, and how many of each kind are attached',
      description:
        'Members of one subject count once in `attached`; those that are not connected do not count. ' +
        'With `wait`, the answer comes when `until` holds, or with what is so when the time is over: look at `attached`.',
      query: {
        wait: waitParameter(limits, '`until` does not hold'),
        until: choice(
          ['attached', 'empty'],
          'What is waited for: `attached` (the default), that somebody of the kind is; or `empty`, that nobody of it is any more.',
        ),
        kind: choice(MEMBER_KINDS, 'Of which kind: human (the default), agent or supervisor.'),
      },
      answers: { 200: { about: 'Who is there.', schema: presenceAnswer } },
      errors: ['connection_limit', 'draining'],
      handle: (call, reply) => get(call, reply, ports, limits, streams),
    },
    {
      method: 'PUT',
      path: ONE,
      summary: 'Enter, or go on being there',
      description:
        'The member is seen as not connected when it is not put again within `ttlMs`, and leaves a while later.',
      body: { schema: presenceBody, required: true },
      answers: { 200: { about: 'It is there.', schema: memberAnswer } },
      errors: ['presence_limit', 'session_closed'],
      handle: (call) => put(call, ports),
    },
    {
      method: 'DELETE',
      path: ONE,
      summary: 'Leave at once',
      answers: { 204: { about: 'It is not there any more.' } },
      handle: (call) => leave(call, ports),
    },
  ]
}

async function get(
  call: Call,
  reply: FastifyReply,
  { attached }: Ports,
  limits: HttpLimits,
  streams: Streams,
): Promise<Answer> {
  const query = call.query()
  const waitMs = waitMsOf(query, limits)
  const until = oneOf('until', ['attached', 'empty'] as const, query.get('until') ?? 'attached')
  const kind: MemberKind = oneOf('kind', MEMBER_KINDS, query.get('kind') ?? 'human')
  const wait = waitFor(waitMs, call, reply, streams)
  return json(await attached.once(call.session, { until, kind, ...wait }))
}

/** @throws HeldlineError `invalid_request` */
function oneOf<Word extends string>(name: string, words: readonly Word[], text: string): Word {
  const found = words.find((word) => word === text)
  if (found !== undefined) return found
  throw new HeldlineError(
    'invalid_request',
    `unable to read; ${name} is one of: ${words.join(', ')}`,
  )
}

async function put(call: Call, { presence, limits }: Ports): Promise<Answer> {
  const { ttlMs = limits.presenceTtlMs, ...body } = call.object(presenceBody)
  const size = Buffer.byteLength(JSON.stringify(body))
  if (size > limits.maxSignalBytes) {
    throw new HeldlineError(
      'payload_too_large',
      `unable to enter; presence is over ${limits.maxSignalBytes} bytes`,
      {
        facts: { maxBytes: limits.maxSignalBytes },
      },
    )
  }
  const member = await presence.enter(
    call.session,
    { ...body, member: call.member },
    call.grant,
    CONNECTION,
    ttlMs,
  )
  return json({ member, ttlMs })
}

/** Whoever manages the session may remove anybody; others only who is of their own subject. */
async function leave(call: Call, { views, presence }: Ports): Promise<Answer> {
  const { session, member, grant } = call
  const present = (await views.at(session)).members.get(member)
  if (present === undefined) return NO_CONTENT
  if (present.subject !== grant.subject && !grant.capabilities.has('manage')) {
    throw new HeldlineError('forbidden', 'unable to remove; this member belongs to another subject')
  }
  await presence.leave(session, member, { ...call.by, member })
  return NO_CONTENT
}
