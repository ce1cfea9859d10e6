import type { AuditAct, AuditEntry } from '../core/audit.ts'
import type { Call } from './call.ts'

/** Who asks for an act, from where, and about what. */
export function auditEntry(
  call: Call,
  act: AuditAct,
  about: Readonly<Record<string, unknown>>,
): Omit<AuditEntry, 'outcome'> {
  const { grant, address, requestId } = call
  return { act, by: grant.subject, address, requestId, about }
}
