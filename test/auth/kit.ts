import { SignJWT, type JWTPayload } from 'jose'
import type { Clock } from '../../src/core/clock.ts'
import type { Grant } from '../../src/core/access.ts'
import type { Log } from '../../src/core/log.ts'
import { Secret } from '../../src/core/secret.ts'
import { CAPABILITIES } from '../../src/protocol/capabilities.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { expect } from 'vitest'

export const SECRET_TEXT = 'canary-secret-of-at-least-32-bytes!!'
export const secret = new Secret(SECRET_TEXT)

/** A clock that stands still until it is told otherwise; its timers never run. */
export class TestClock implements Clock {
  time = 1_790_000_000_000

  now(): number {
    return this.time
  }

  after(): { cancel: () => void } {
    return { cancel: () => undefined }
  }

  defer(task: () => void): void {
    task()
  }
}

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

export const keyGrant: Grant = {
  subject: 'key:main',
  kind: 'any',
  sessions: ['*'],
  capabilities: new Set(CAPABILITIES),
  expiresAt: null,
}

export const personGrant: Grant = {
  subject: 'ada',
  kind: 'human',
  sessions: ['chat-*', 'room-1'],
  capabilities: new Set(['subscribe', 'send', 'tokens']),
  expiresAt: 1_790_000_600_000,
}

/** The claims of a good token at the clock's time, with changes; `undefined` leaves a claim out. */
export function claims(clock: Clock, change: Record<string, unknown> = {}): JWTPayload {
  const now = Math.floor(clock.now() / 1000)
  const all = {
    sub: 'ada',
    aud: 'heldline',
    iss: 'app',
    iat: now,
    exp: now + 600,
    sessions: ['chat-*'],
    capabilities: ['subscribe', 'send'],
    ...change,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

export function sign(
  payload: JWTPayload,
  header: Record<string, unknown> = {},
  key: Parameters<SignJWT['sign']>[0] = Buffer.from(SECRET_TEXT),
): Promise<string> {
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256', typ: 'heldline+jwt', ...header })
    .sign(key)
}

/** A token by hand, for what no library would sign. */
export function forge(header: unknown, payload: unknown, signature = ''): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(payload)}.${signature}`
}

const TEXT = 'unable to authenticate; the credentials are missing, wrong or over'

/** The error of a refusal, after checking that it says what every refusal says, and nothing else. */
export async function refused(
  attempt: Promise<unknown> | (() => unknown),
  shown: string,
): Promise<HeldlineError> {
  const error = await (typeof attempt === 'function' ? (async () => attempt())() : attempt).then(
    () => expect.unreachable('it was not refused'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof HeldlineError)) throw error
  expect(['unauthenticated', 'invalid_token']).toContain(error.code)
  expect(error.message).toBe(TEXT)
  expect(error.facts).toEqual({})
  expect(error.cause).toBeUndefined()
  expect(JSON.stringify([error.stack, Object.entries(error)])).not.toContain('canary')
  if (shown.length > 8) expect(error.stack ?? '').not.toContain(shown)
  return error
}
