import { HeldlineError } from '../protocol/errors.ts'

/** THE table of acts that somebody may have to answer for, each with a sentence. `docs/audit.md` has the same. */
export const AUDIT_ACTS = {
  'server.start':
    'A node has started; `config` is what it goes by: of credentials, whether they are set.',
  'auth.refuse':
    'Credentials were refused, with the `reason`; or were wrong after the address had failed too often (`blocked`).',
  'token.mint': 'A token was made: for whom, with what rights, until when, and its `jti`.',
  'token.revoke': 'Tokens were taken back: one by its `jti`, or all of a `subject`.',
  'ticket.issue': 'A ticket for one connection was made, for the asker’s own rights.',
  'session.patch': 'Retention or idle expiry of a session were changed.',
  'session.close': 'A session was closed for good.',
  'session.delete': 'A session was removed with everything in it.',
  'control.force': 'Control of a session was taken from whoever had it.',
} as const

export type AuditAct = keyof typeof AUDIT_ACTS

/** `asked`: before it is done, where it can fail halfway. `unknown`: perhaps it is done. */
export type AuditOutcome = 'asked' | 'done' | 'refused' | 'blocked' | 'failed' | 'unknown'

export interface AuditEntry {
  readonly act: AuditAct
  /** The subject (`key:<name>` of an API key); `null`: nobody who is known. */
  readonly by: string | null
  readonly outcome: AuditOutcome
  /** The code of the error, where there is one. */
  readonly code?: string
  /** Where the request came from. */
  readonly address?: string
  readonly requestId?: string
  /** What it is about: ids, names, numbers. Never a credential, never content. */
  readonly about?: Readonly<Record<string, unknown>>
}

/** The record of such acts, as a port: written in their order, never changed. Never throws. */
export interface Audit {
  record(entry: AuditEntry): void
}

/**
 * Does what somebody asks for, and writes down that they asked, then what became of it: where this process dies in between, the first line is
 * there alone.
 * @param told what the result adds to what it is about
 */
export async function audited<Result>(
  audit: Audit | undefined,
  asked: Omit<AuditEntry, 'outcome'>,
  act: () => Promise<Result>,
  told: (result: Result) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<Result> {
  if (audit === undefined) return act()
  audit.record({ ...asked, outcome: 'asked' })
  try {
    const result = await act()
    audit.record({ ...asked, about: { ...asked.about, ...told(result) }, outcome: 'done' })
    return result
  } catch (error) {
    audit.record({ ...asked, ...failureOf(error) })
    throw error
  }
}

function failureOf(error: unknown): Pick<AuditEntry, 'outcome' | 'code'> {
  const code = error instanceof HeldlineError ? error.code : 'internal'
  if (UNKNOWN.has(code)) return { outcome: 'unknown', code }
  return { outcome: code === 'internal' ? 'failed' : 'refused', code }
}

/** Perhaps it was done, or will be. */
const UNKNOWN: ReadonlySet<string> = new Set(['outcome_unknown', 'durability_timeout'])
