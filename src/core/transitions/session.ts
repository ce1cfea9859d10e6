import { encodeBody } from '../../protocol/codec.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { CLOSED, DEADLINE, FIELD } from '../record.ts'
import type { DeadlineWrite, FieldWrite, NewEvent } from '../store.ts'

/** What a session may keep, and for how long it may be idle. `null`: no limit of this kind. */
export interface SessionSettings {
  /** Without an append for so long, the session is removed. */
  readonly ttlMs: number | null
  readonly retention: {
    readonly maxAgeMs: number | null
    readonly maxEvents: number | null
    readonly maxBytes: number | null
  }
}

export type Metadata = Readonly<Record<string, unknown>>

export interface SessionInfo {
  readonly session: SessionId
  readonly metadata: Metadata
  readonly settings: SessionSettings
  readonly createdAt: number
  readonly closed: boolean
}

/** The fields that make a SessionInfo. */
export const INFO_FIELDS = [FIELD.metadata, FIELD.settings, FIELD.created, FIELD.closed] as const

export function sessionInfo(
  session: SessionId,
  fields: ReadonlyMap<string, string | null>,
): SessionInfo {
  return {
    session,
    // The record holds only what this file writes.
    metadata: JSON.parse(fields.get(FIELD.metadata) ?? '{}') as Metadata,
    settings: JSON.parse(fields.get(FIELD.settings) ?? 'null') as SessionSettings,
    createdAt: Number(fields.get(FIELD.created) ?? 0),
    closed: (fields.get(FIELD.closed) ?? null) !== null,
  }
}

export interface CreateRequest {
  readonly session: SessionId
  readonly metadata: Metadata
  readonly settings: SessionSettings
  readonly by: By
}

/** Makes the session with its first event; `false` when it exists. */
export function create(request: CreateRequest, random: Random, nowMs: number): Transition<boolean> {
  const event = eventOf('session.created', { metadata: request.metadata }, request.by, random)
  const epoch = random.epoch()
  return {
    session: request.session,
    decide: (known) =>
      known.exists
        ? { done: false }
        : {
            commit: {
              create: { epoch },
              events: [event],
              writes: [
                { field: FIELD.metadata, value: JSON.stringify(request.metadata) },
                { field: FIELD.settings, value: JSON.stringify(request.settings) },
                { field: FIELD.created, value: String(nowMs) },
              ],
              deadlines: settingsDeadlines(request.settings),
            },
            answer: () => true,
          },
  }
}

export interface PatchRequest {
  readonly session: SessionId
  /** A merge patch (RFC 7396) of the top level: `null` removes a key. */
  readonly metadata?: Metadata
  /** Only what is given changes. */
  readonly settings?: {
    readonly ttlMs?: SessionSettings['ttlMs']
    readonly retention?: Partial<SessionSettings['retention']>
  }
  readonly by: By
}

export function patch(request: PatchRequest, random: Random): Transition<SessionInfo> {
  return {
    session: request.session,
    reads: INFO_FIELDS,
    decide: (known) => {
      const info = openSession(request.session, known)
      const metadata = mergePatch(info.metadata, request.metadata ?? {})
      const retention = { ...info.settings.retention, ...request.settings?.retention }
      const settings = { ...info.settings, ...request.settings, retention }
      const writes: FieldWrite[] = [
        { field: FIELD.metadata, value: JSON.stringify(metadata) },
        { field: FIELD.settings, value: JSON.stringify(settings) },
      ]
      const changed = known.fields.get(FIELD.metadata) !== writes[0]?.value
      return {
        commit: {
          guards: INFO_FIELDS.map((field) => ({ field, equals: known.fields.get(field) ?? null })),
          events: changed ? [eventOf('session.updated', { metadata }, request.by, random)] : [],
          writes,
          deadlines: changedDeadlines(request.settings ?? {}),
        },
        answer: () => ({ ...info, metadata, settings }),
      }
    },
  }
}

/** Closes the log for good: it can be read, and nothing more can be appended. Closing again changes nothing. */
export function close(
  request: { readonly session: SessionId; readonly by: By; readonly reason?: string },
  random: Random,
): Transition<void> {
  const { reason } = request
  const event = eventOf(
    'session.closed',
    reason === undefined ? {} : { reason },
    request.by,
    random,
  )
  return {
    session: request.session,
    decide: (known) => {
      const before = known.fields.get(FIELD.closed) ?? null
      if (before === CLOSED.closed) return { done: undefined }
      return {
        commit: {
          guards: [{ field: FIELD.closed, equals: before }],
          writes: [{ field: FIELD.closed, value: CLOSED.closed }],
          events: [event],
        },
        answer: () => undefined,
      }
    },
  }
}

function openSession(session: SessionId, known: Known): SessionInfo {
  const info = sessionInfo(session, known.fields)
  if (info.closed)
    throw new HeldlineError('session_closed', 'unable to change; the session is closed')
  return info
}

function settingsDeadlines(settings: SessionSettings): DeadlineWrite[] {
  return [
    { deadline: DEADLINE.expire, inMs: settings.ttlMs },
    { deadline: DEADLINE.retention, inMs: settings.retention.maxAgeMs },
  ]
}

/**
 * A bound that is new is kept to at once, by whichever node sweeps: a session where nothing happens would never be looked at, and an event that is too
 * old by now would stay for as long again. What was not asked to change goes on as it was.
 */
function changedDeadlines({
  ttlMs,
  retention,
}: NonNullable<PatchRequest['settings']>): DeadlineWrite[] {
  const deadlines: DeadlineWrite[] = []
  if (ttlMs !== undefined) deadlines.push({ deadline: DEADLINE.expire, inMs: ttlMs })
  if (retention !== undefined) deadlines.push({ deadline: DEADLINE.retention, inMs: 0 })
  return deadlines
}

function mergePatch(target: Metadata, change: Metadata): Metadata {
  const merged = new Map(Object.entries(target))
  for (const [key, value] of Object.entries(change)) {
    if (value === null) merged.delete(key)
    else merged.set(key, value)
  }
  return Object.fromEntries(merged)
}

export function eventOf(type: string, data: unknown, by: By, random: Random): NewEvent {
  return { tag: random.tag(), body: encodeBody(type, random.id(), by, JSON.stringify(data)) }
}
