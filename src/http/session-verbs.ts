import { signalText } from '../core/signal-text.ts'
import { readAnswer, readBody, signalBody } from '../protocol/http.ts'
import { json, type Answer } from './answer.ts'
import { checkKeys } from './body.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'sessions' | 'signals' | 'limits'>

/** What a socket says in a frame, for those without one. [P-9.8] */
export function verbRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/sessions/{session}/signals',
      summary: 'Tell all who are attached now',
      description: 'No serial, never stored; it may be lost.',
      body: { schema: signalBody, required: true },
      answers: { 202: { about: 'It is on its way.' } },
      handle: (call) => signal(call, ports),
    },
    {
      method: 'POST',
      path: '/v1/sessions/{session}/read',
      summary: 'Say how far the subject has read',
      description: 'It never falls: the answer is the highest serial so far.',
      body: { schema: readBody, required: true },
      answers: { 200: { about: 'It is recorded.', schema: readAnswer } },
      handle: (call) => read(call, ports),
    },
  ]
}

/** The session is looked up: what is sent to one that is not there should not seem to arrive. */
async function signal(call: Call, { sessions, signals, limits }: Ports): Promise<Answer> {
  const { name } = call.object(signalBody)
  const members = checkKeys(call.json().text)
  const text = signalText(call.session, name, call.by, members, limits.maxSignalBytes)
  await sessions.head(call.session)
  signals.send(call.session, text)
  return { status: 202, body: null }
}

async function read(call: Call, { sessions }: Ports): Promise<Answer> {
  const { serial } = call.object(readBody)
  return json({ serial: await sessions.markRead(call.session, call.grant.subject, serial) })
}
