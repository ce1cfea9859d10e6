import { HeldlineError } from '../protocol/errors.ts'

/** What travels in an event, and in every snapshot, is bounded as an event is. @throws HeldlineError `payload_too_large` */
export function checkSize(what: string, value: unknown, maxBytes: number): void {
  if (value === undefined || Buffer.byteLength(JSON.stringify(value)) <= maxBytes) return
  throw new HeldlineError(
    'payload_too_large',
    `unable to take the ${what}; it is over ${maxBytes} bytes`,
    { facts: { maxBytes } },
  )
}
