import { crc32 } from 'node:zlib'
import { encodeEvent, decodeHead } from '../../protocol/codec.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { Epoch, Tag } from '../../protocol/ids.ts'
import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  Guard,
  KnownId,
  LogHead,
  NewEvent,
  StoredEvent,
} from '../../core/store.ts'
import { GENESIS_TAG } from '../../protocol/ids.ts'

/** A request as arguments of `lua/commit.lua`, whose header is the other half of this file. */
export function pushCommit(
  args: (string | number)[],
  session: number,
  request: CommitRequest,
): void {
  args.push(session, request.create?.epoch ?? '')
  const { producer } = request
  if (producer === undefined) args.push(0)
  else args.push(1, producer.id, producer.epoch, producer.seq, producer.count)

  const guards = request.guards ?? []
  args.push(guards.length)
  for (const guard of guards) pushGuard(args, guard)

  const events = request.events ?? []
  args.push(events.length)
  for (const event of events) pushEvent(args, event)

  const writes = request.writes ?? []
  args.push(writes.length)
  for (const { field, value } of writes) args.push(field, value === null ? 0 : 1, value ?? '')

  const deadlines = request.deadlines ?? []
  args.push(deadlines.length)
  for (const { deadline, inMs } of deadlines)
    args.push(deadline, inMs === null ? '' : Math.round(inMs))
}

function pushGuard(args: (string | number)[], guard: Guard): void {
  if ('field' in guard) {
    args.push('f', guard.field, guard.equals === null ? 0 : 1, guard.equals ?? '')
  } else {
    args.push('d', guard.deadline, guard.at === null ? 0 : 1, guard.at ?? '')
  }
}

function pushEvent(args: (string | number)[], { tag, body, dedupe }: NewEvent): void {
  args.push(tag, checksum(tag, body), body)
  if (dedupe === undefined) args.push(0)
  else args.push(1, dedupe.id, dedupe.fingerprint)
}

/** What a guard's time is compared with in `lua/remove.lua`. */
export const guardTime = (guard: DeadlineGuard | undefined): string | number => guard?.at ?? ''

/** The answer of `lua/commit.lua` to one commit. */
export function decodeResult(answer: unknown): CommitResult {
  if (typeof answer === 'string') return decodeCommitted(answer)
  const [outcome, ...rest] = answer as [string, ...string[]]
  switch (outcome) {
    case 'missing':
    case 'exists':
      return { outcome }
    case 'fenced':
      return { outcome, epoch: Number(rest[0]) }
    case 'gap':
      return { outcome, expected: Number(rest[0]) }
    case 'duplicate':
      return { outcome, epoch: rest[0] as Epoch, known: decodeKnown(rest.slice(1)) }
    case 'conflict':
      return { outcome, ...decodeGuarded(rest) }
    default:
      throw new HeldlineError('internal', `unable to commit; Redis says ${rest[0] ?? outcome}`)
  }
}

function decodeCommitted(answer: string): CommitResult {
  // `C first last prev tag at floor bytes epoch`: as the script writes it, so each part is there and has its form.
  const [, first, last, prev, tag, at, floor, bytes, epoch] = answer.split(' ') as [
    string,
    string,
    string,
    Tag,
    Tag,
    string,
    string,
    string,
    Epoch,
  ]
  return {
    outcome: 'committed',
    epoch,
    first: Number(first),
    last: Number(last),
    prev,
    tag,
    at: Number(at),
    floor: Number(floor),
    bytes: Number(bytes),
  }
}

/** `{ 'replayed', epoch, count, ranges }`, where ranges are `seq:count:first,…` of the producer's last commits. */
export function decodeReplayed(answer: readonly string[], seq: number): CommitResult {
  const [, epoch, count, ring] = answer as [string, Epoch, string, string]
  const ranges = ring
    .split(',')
    .map((range) => range.split(':').map(Number) as [number, number, number])
  const serials = Array.from({ length: Number(count) }, (_, index) => {
    const wanted = seq + index
    const range = ranges.find(([from, length]) => from <= wanted && wanted < from + length)
    return range === undefined ? null : range[2] + (wanted - range[0])
  })
  return { outcome: 'replayed', epoch, count: Number(count), serials }
}

function decodeKnown(pairs: readonly string[]): KnownId[] {
  const known: KnownId[] = []
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const [id, remembered] = [pairs[i] as string, pairs[i + 1] as string]
    const space = remembered.indexOf(' ')
    known.push({
      id,
      serial: Number(remembered.slice(0, space)),
      fingerprint: remembered.slice(space + 1),
    })
  }
  return known
}

function decodeGuarded(parts: readonly string[]) {
  const fields = new Map<string, string | null>()
  const deadlines = new Map<string, number | null>()
  for (let i = 0; i + 3 < parts.length; i += 4) {
    const [kind, name, has, value] = parts.slice(i, i + 4) as [string, string, string, string]
    if (kind === 'f') fields.set(name, has === '1' ? value : null)
    else deadlines.set(name, has === '1' ? Number(value) : null)
  }
  return { fields, deadlines }
}

/** The record's `.` and `,`: `epoch head tag at bytes` and, once something was trimmed, `floor floorTag`. */
export function decodeLogHead(head: string, floor: string | null): LogHead {
  const [epoch, serial, tag] = head.split(' ') as [Epoch, string, Tag]
  const [floorSerial, floorTag] = (floor?.split(' ') ?? ['0', GENESIS_TAG]) as [string, Tag]
  return { epoch, head: Number(serial), tag, floor: Number(floorSerial), floorTag }
}

/**
 * A stored entry as an event; `null` when it is not what was stored: another serial, another predecessor, another checksum.
 * @param after the event before it, as far as it is known
 */
export function decodeEntry(
  entry: string,
  after: { readonly serial: number; readonly tag: Tag | null },
): StoredEvent | null {
  const text = entry.slice(CHECKSUM_LENGTH)
  const head = decodeHead(text)
  if (head === null || head.serial !== after.serial + 1) return null
  if (after.tag !== null && head.prev !== after.tag) return null
  const body = text.slice(encodeEvent(head, '').length)
  return entry.startsWith(checksum(head.tag, body)) ? { ...head, text } : null
}

const CHECKSUM_LENGTH = 8

function checksum(tag: Tag, body: string): string {
  return crc32(body, crc32(tag)).toString(16).padStart(CHECKSUM_LENGTH, '0')
}
