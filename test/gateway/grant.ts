import type { Grant } from '../../src/core/access.ts'
import { CAPABILITIES } from '../../src/protocol/capabilities.ts'

/** What an API key may: everything, everywhere. */
export const GRANT: Grant = {
  subject: 'key:agent',
  kind: 'any',
  sessions: ['*'],
  capabilities: new Set(CAPABILITIES),
  expiresAt: null,
}
