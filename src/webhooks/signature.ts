import { createHmac } from 'node:crypto'
import type { Secret } from '../core/secret.ts'

const PREFIX = 'whsec_'

/** What Standard Webhooks signs: the id, the time in seconds, the body; one signature for each secret, so that one can be changed without a break. */
export function signatures(
  secrets: readonly Secret[],
  id: string,
  timestamp: number,
  body: string,
): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.reveal().slice(PREFIX.length), 'base64')
      const digest = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`)
      return `v1,${digest.digest('base64')}`
    })
    .join(' ')
}
