import type { Clock } from '../core/clock.ts'
import type { Log, LogFields } from '../core/log.ts'

const WINDOW_MS = 10_000
const MAX_KEYS = 1000

interface Window {
  readonly until: number
  repeated: number
}

/**
 * A log in which a warning or error that repeats is one line in ten seconds; the next line says how many were left out, as `repeated`. The same
 * is what has the same event and the same code of its error. What is `info` always passes.
 */
export function quietLog(log: Log, clock: Clock): Log {
  const windows = new Map<string, Window>()

  const pass = (level: 'warn' | 'error', event: string, fields?: LogFields): void => {
    const now = clock.now()
    const key = `${level} ${event} ${codeOf(fields?.['error'])}`
    const window = windows.get(key)
    // One that ends later than any that begins now is of a clock that was set back since: it is over.
    if (window !== undefined && window.until > now && window.until <= now + WINDOW_MS) {
      window.repeated++
      return
    }
    windows.delete(key)
    windows.set(key, { until: now + WINDOW_MS, repeated: 0 })
    if (windows.size > MAX_KEYS) dropOldest(windows)
    const repeated = window?.repeated ?? 0
    log[level](event, repeated === 0 ? fields : { ...fields, repeated })
  }

  return {
    info: (event, fields) => log.info(event, fields),
    warn: (event, fields) => pass('warn', event, fields),
    error: (event, fields) => pass('error', event, fields),
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

function dropOldest(windows: Map<string, Window>): void {
  for (const key of windows.keys()) {
    windows.delete(key)
    return
  }
}
