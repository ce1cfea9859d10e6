/** What the store wants of a logger: an event's name, ids and numbers; never payloads, never secrets. */
export interface StoreLog {
  info(fields: Readonly<Record<string, unknown>>, event: string): void
  warn(fields: Readonly<Record<string, unknown>>, event: string): void
  error(fields: Readonly<Record<string, unknown>>, event: string): void
}
