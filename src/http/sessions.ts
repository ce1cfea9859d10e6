import { formatPosition } from '../protocol/position.ts'
import { closeBody, sessionAnswer, sessionBody, type SessionBody } from '../protocol/http.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { parseSessionId, type SessionId } from '../protocol/ids.ts'
import { audited } from '../core/audit.ts'
import { reaches } from '../core/access.ts'
import { headPosition } from '../core/judge.ts'
import type { LogHead } from '../core/store.ts'
import type { SessionInfo, SessionSettings } from '../core/transitions/session.ts'
import { json, NO_CONTENT, type Answer } from './answer.ts'
import { auditEntry } from './audit-entry.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'sessions' | 'random' | 'defaultSettings' | 'limits' | 'audit'>

const ONE = '/v1/sessions/{session}'
const found = { 200: { about: 'The session.', schema: sessionAnswer } }
const made = { 201: { about: 'The session, which was made now.', schema: sessionAnswer } }

/** Sessions, one at a time. [P-9.1] */
export function sessionRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/sessions',
      summary: 'Create a session under a new id',
      body: { schema: sessionBody, required: false },
      answers: made,
      handle: (call) => mint(call, ports),
    },
    {
      method: 'PUT',
      path: ONE,
      summary: 'Create a session, or get it',
      description:
        'Settings (ttlMs, retention) that are given must be those of a session that exists; its metadata stays as it is.',
      body: { schema: sessionBody, required: false },
      answers: { ...found, ...made },
      errors: ['session_exists'],
      handle: (call) => put(call, ports),
    },
    {
      method: 'GET',
      path: ONE,
      summary: 'Get a session',
      answers: found,
      handle: async (call) => json(await describe(call.session, ports)),
    },
    {
      method: 'PATCH',
      path: ONE,
      summary: 'Change metadata and settings',
      description:
        'Only what is given changes; null removes a key of metadata, or a limit. Changed metadata is an event of the log.',
      body: { schema: sessionBody, required: true },
      answers: found,
      errors: ['session_closed'],
      handle: (call) => patch(call, ports),
    },
    {
      method: 'POST',
      path: `${ONE}/close`,
      summary: 'Close a session for good',
      description:
        'It can be read, and nothing more can be appended. Closing it again changes nothing.',
      body: { schema: closeBody, required: false },
      answers: found,
      handle: (call) => close(call, ports),
    },
    {
      method: 'DELETE',
      path: ONE,
      summary: 'Remove a session and everything in it',
      answers: { 204: { about: 'It is gone.' } },
      handle: async (call) => {
        const { session } = call
        const entry = auditEntry(call, 'session.delete', { session })
        await audited(ports.audit, entry, () => ports.sessions.remove(session))
        return NO_CONTENT
      },
    },
  ]
}

async function mint(call: Call, ports: Ports): Promise<Answer> {
  const session = parseSessionId(ports.random.id())
  if (session === null) throw new Error('a minted id without the form of one')
  if (!reaches(call.grant, session)) {
    throw new HeldlineError(
      'forbidden',
      'unable to create; the credentials reach no minted id: PUT one of their own',
    )
  }
  return open(call, session, ports)
}

function put(call: Call, ports: Ports): Promise<Answer> {
  return open(call, call.session, ports)
}

async function open(call: Call, session: SessionId, ports: Ports): Promise<Answer> {
  const body = call.optional(sessionBody)
  const metadata = body.metadata ?? {}
  checkSize(metadata, ports)
  const settings = settingsOf(body, ports.defaultSettings)
  const { info, created } = await ports.sessions.open({ session, metadata, settings, by: call.by })
  if (!created && !agrees(body, info.settings)) {
    throw new HeldlineError(
      'session_exists',
      'unable to create; the session exists with other settings',
    )
  }
  const head = await ports.sessions.head(session)
  const answer = json(sessionJson(info, head), created ? 201 : 200)
  return created
    ? { ...answer, headers: { ...answer.headers, location: `/v1/sessions/${session}` } }
    : answer
}

/** Metadata travels in an event, and in every snapshot. */
function checkSize(metadata: object, { limits }: Ports): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= limits.maxEventBytes) return
  throw new HeldlineError(
    'payload_too_large',
    `unable to take the metadata; it is over ${limits.maxEventBytes} bytes`,
    {
      facts: { maxBytes: limits.maxEventBytes },
    },
  )
}

function settingsOf(body: SessionBody, fallback: SessionSettings): SessionSettings {
  const { ttlMs = fallback.ttlMs, retention = {} } = body
  const { maxAgeMs, maxEvents, maxBytes } = fallback.retention
  return { ttlMs, retention: { maxAgeMs, maxEvents, maxBytes, ...defined(retention) } }
}

function agrees(body: SessionBody, settings: SessionSettings): boolean {
  const asked = settingsOf(body, settings)
  return JSON.stringify(asked) === JSON.stringify(settingsOf({}, settings))
}

/** Without the keys whose value is not there. */
function defined<T extends object>(partial: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(partial).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

async function patch(call: Call, ports: Ports): Promise<Answer> {
  const { metadata, ttlMs, retention } = call.object(sessionBody)
  checkSize(metadata ?? {}, ports)
  const settings = {
    ...(ttlMs !== undefined && { ttlMs }),
    ...(retention !== undefined && { retention: defined(retention) }),
  }
  const { session, by } = call
  const kept = Object.keys(settings).length > 0
  const change = { session, by, ...(metadata !== undefined && { metadata }) }
  const info = kept
    ? await audited(ports.audit, auditEntry(call, 'session.patch', { session, ...settings }), () =>
        ports.sessions.patch({ ...change, settings }),
      )
    : await ports.sessions.patch(change)
  return json(sessionJson(info, await ports.sessions.head(session)))
}

async function close(call: Call, ports: Ports): Promise<Answer> {
  const { reason } = call.optional(closeBody)
  const { session, by } = call
  await audited(ports.audit, auditEntry(call, 'session.close', { session }), () =>
    ports.sessions.close({ session, by, ...(reason !== undefined && { reason }) }),
  )
  return json(await describe(session, ports))
}

async function describe(session: SessionId, { sessions }: Ports): Promise<object> {
  const [info, head] = await Promise.all([sessions.info(session), sessions.head(session)])
  return sessionJson(info, head)
}

export function sessionJson(info: SessionInfo, head: LogHead): object {
  const { session, metadata, settings, createdAt, closed } = info
  return {
    session,
    metadata,
    ttlMs: settings.ttlMs,
    retention: settings.retention,
    createdAt,
    closed,
    head: formatPosition(headPosition(head)),
    floor: head.floor,
  }
}
