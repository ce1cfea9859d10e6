import type { Log, LogFields } from '../../src/core/log.ts'

export interface Line {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly fields: LogFields
}

/** Keeps what was logged, for tests to look at. */
export class FakeLog implements Log {
  readonly lines: Line[] = []

  info(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', event, fields })
  }

  warn(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', event, fields })
  }

  error(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', event, fields })
  }

  /** The names of what was logged at a level, in order. */
  at(level: Line['level']): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.event)
  }
}
