/**
 * What credentials may do, and where. Deny by default; checked on every frame and request. [P-6]
 */

export const CAPABILITIES = [
  'subscribe',
  'history',
  'send',
  'publish',
  'signal',
  'presence',
  'state',
  'control',
  'create',
  'manage',
  'list',
  'tokens',
] as const

export type Capability = (typeof CAPABILITIES)[number]

/** Who somebody is within a session. */
export const MEMBER_KINDS = ['human', 'agent', 'supervisor'] as const
export type MemberKind = (typeof MEMBER_KINDS)[number]

/** A session pattern: an exact id, a prefix that ends with `*`, or a bare `*` (API keys only). */
export const SESSION_PATTERN =
  /^(?:[A-Za-z0-9][A-Za-z0-9_.:~-]{0,127}|[A-Za-z0-9][A-Za-z0-9_.:~-]{0,126}\*|\*)$/

export function matchesPattern(pattern: string, sessionId: string): boolean {
  return pattern.endsWith('*') ? sessionId.startsWith(pattern.slice(0, -1)) : sessionId === pattern
}
