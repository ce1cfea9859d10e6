import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'
import type { Log, LogFields } from '../core/log.ts'
import { cleanFields } from './log-fields.ts'

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Where lines of JSON go; the standard output by default. */
  readonly destination?: DestinationStream
}

/** What pino writes itself, which no field may stand beside: the line would hold the name twice. */
const OWN = new Set(['level', 'time', 'pid', 'hostname', 'event'])

/** A second look after `cleanFields`, by the library's own means. */
const REDACT = ['token', 'secret', 'password', 'authorization', 'cookie'].flatMap((name) => [
  name,
  `*.${name}`,
  `*.*.${name}`,
])

/** The log: one JSON object a line. */
export function createLog(options: LogOptions): Log {
  return createLogs(options).log
}

/** The log, and beside it, in the same stream, one for the audit record: no level leaves anything of that out. */
export function createLogs(options: LogOptions): { readonly log: Log; readonly audit: Log } {
  const logger = pino(
    {
      level: options.level,
      messageKey: 'event',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACT, censor: '[redacted]' },
    },
    options.destination ?? pino.destination({ fd: 1, sync: false }),
  )
  return { log: writing(logger), audit: writing(logger.child({}, { level: 'info' })) }
}

function writing(logger: Logger): Log {
  return {
    info: (event, fields) => write(logger, 'info', event, fields),
    warn: (event, fields) => write(logger, 'warn', event, fields),
    error: (event, fields) => write(logger, 'error', event, fields),
  }
}

function write(
  logger: Logger,
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: LogFields = {},
): void {
  if (!logger.isLevelEnabled(level)) return
  logger[level](safely(fields), event)
}

/** A log never throws: a field whose getter does is a line that says so. */
function safely(fields: LogFields): Record<string, unknown> {
  try {
    const clean = Object.entries(cleanFields(fields))
    return Object.fromEntries(
      clean.map(([name, value]) => [OWN.has(name) ? `${name}_` : name, value]),
    )
  } catch {
    return { unloggable: true }
  }
}
