import type { Audit } from '../core/audit.ts'
import type { Log } from '../core/log.ts'

/** Writes the audit record into a log: lines with the event `audit` and the field `audit: true`. @param log one that leaves out no `info` */
export function auditLog(log: Log): Audit {
  return {
    record: ({ about, ...entry }) =>
      log.info('audit', { audit: true, ...entry, ...(about && { about }) }),
  }
}
