import { refusal } from './refusal.ts'

/** Longer than the longest token, key or Basic of a key. */
const MAX_HEADER = 8192

/**
 * The credential that an Authorization header carries: `Bearer <token>`, `Bearer <id>:<secret>`, or Basic of the same. [P-6.1]
 * @throws HeldlineError `unauthenticated`
 */
export function credentialOf(header: string): string {
  const match = header.length > MAX_HEADER ? null : /^([A-Za-z]+) +(\S+) *$/.exec(header)
  const value = match?.[2] ?? ''
  switch (match?.[1]?.toLowerCase() ?? '') {
    case 'bearer':
      return value
    case 'basic':
      return Buffer.from(value, 'base64').toString()
    default:
      throw refusal('unauthenticated', 'malformed')
  }
}
