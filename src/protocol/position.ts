import { GENESIS_TAG, parseEpoch, parseTag, type Epoch, type Tag } from './ids.ts'

/**
 * Where a reader stands in a log. It names content, not only a number: the event at `serial`
 * must still carry `tag`, else the log was rewritten under the same numbers. [P-1.4]
 */
export interface Position {
  readonly epoch: Epoch
  readonly serial: number
  readonly tag: Tag
}

/** The position before the first event of a log. */
export function genesis(epoch: Epoch): Position {
  return { epoch, serial: 0, tag: GENESIS_TAG }
}

/** `epoch.serial.tag`: opaque to everybody but us. */
export function formatPosition(position: {
  readonly epoch: string
  readonly serial: number
  readonly tag: string
}): string {
  return `${position.epoch}.${position.serial}.${position.tag}`
}

const MAX_POSITION_LENGTH = 48

/** The position that a text stands for, or `null` when it is not one. */
export function parsePosition(text: unknown): Position | null {
  if (typeof text !== 'string' || text.length > MAX_POSITION_LENGTH) return null
  const [epochText, serialText, tagText, ...rest] = text.split('.')
  const epoch = parseEpoch(epochText)
  const tag = parseTag(tagText)
  const serial = parseSerial(serialText)
  if (rest.length > 0 || epoch === null || tag === null || serial === null) return null
  return { epoch, serial, tag }
}

/** Decimal digits without sign, leading zero or exponent, below 2^53; else `null`. [P-1.3] */
export function parseSerial(text: unknown): number | null {
  if (typeof text !== 'string' || !/^(0|[1-9][0-9]{0,15})$/.test(text)) return null
  const serial = Number(text)
  return Number.isSafeInteger(serial) ? serial : null
}

export function samePosition(a: Position, b: Position): boolean {
  return a.serial === b.serial && a.tag === b.tag && a.epoch === b.epoch
}
