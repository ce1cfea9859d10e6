import { HeldlineError } from '../protocol/errors.ts'

const MAX_HEADER = 8192

/**
 * The credential that an Authorization header carries: `Bearer <token>`, `Bearer <id>:<secret>`, or Basic of the same. [P-6.1]
 * @throws HeldlineError `unauthenticated`
 */
export function credentialOf(header: string): string {
  const [scheme, value, ...rest] = header.slice(0, MAX_HEADER).trim().split(/ +/)
  if (value === undefined || rest.length > 0) throw unauthenticated()
  switch (scheme?.toLowerCase()) {
    case 'bearer':
      return value
    case 'basic':
      return Buffer.from(value, 'base64').toString()
    default:
      throw unauthenticated()
  }
}

function unauthenticated(): HeldlineError {
  return new HeldlineError('unauthenticated', 'the credentials are missing or wrong')
}
