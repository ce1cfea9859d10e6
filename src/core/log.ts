/** Facts of a log line: ids, numbers, an `error`. Never payloads or credentials; whatever implements the port drops those all the same. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * The log as a port. `event` is a name that people search for, `noun.what_happened`. Level by who must act: a client's
 * mistake is `info`, what an operator should know `warn`, what is our fault `error`. Never throws.
 */
export interface Log {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}
