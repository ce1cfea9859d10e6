import { errorRow, type HeldlineError } from '../protocol/errors.ts'

/** A refusal as it leaves: RFC 9457. [P-8.1] */
export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const DEFAULT_RETRY_MS = 1000
/** No Basic: a browser would open a window that asks people for a password. */
const CHALLENGE = 'Bearer realm="heldline"'

export function problem(error: HeldlineError, requestId: string): Problem {
  const { status, title, retryable, next } = errorRow(error.code)
  const { code, retryAfterMs } = error
  const body = {
    ...error.facts,
    type: `/docs#${code}`,
    title,
    status,
    code,
    detail: error.message,
    requestId,
    retryable,
    next,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
  return { status, headers: headersOf(error, status), body: JSON.stringify(body) }
}

function headersOf(error: HeldlineError, status: number): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (status === 401) {
    const why = error.code === 'invalid_token' ? ', error="invalid_token"' : ''
    headers['www-authenticate'] = CHALLENGE + why
  }
  if (status === 426) headers['upgrade'] = 'websocket'
  if (status === 429 || status === 503 || status === 507) {
    const ms = error.retryAfterMs ?? DEFAULT_RETRY_MS
    headers['retry-after'] = String(Math.max(1, Math.ceil(ms / 1000)))
  }
  return headers
}
