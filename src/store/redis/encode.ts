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
  const { producer, guards = [], events = [], writes = [], deadlines = [] } = request
  let ids = 0
  for (const { dedupe } of events) if (dedupe !== undefined) ids++
  args.push(session, request.create?.epoch ?? '', producer === undefined ? 0 : 1)
  args.push(guards.length, events.length, ids, writes.length, deadlines.length)
  if (producer !== undefined) {
    args.push(producer.id, producer.epoch, producer.seq, producer.count)
  }
  for (const guard of guards) pushGuard(args, guard)
  for (const event of events) pushEvent(args, event)
  for (const { field, value } of writes) args.push(field, value === null ? 0 : 1, value ?? '')
  for (const { deadline, inMs } of deadlines) {
    args.push(deadline, inMs === null ? '' : Math.round(inMs))
  }
}

function pushGuard(args: (string | number)[], guard: Guard): void {
  if ('field' in guard) {
    args.push('f', guard.field, guard.equals === null ? 0 : 1, guard.equals ?? '')
  } else {
    args.push('d', guard.deadline, guard.at === null ? 0 : 1, guard.at ?? '')
  }
}

function pushEvent(args: (string | number)[], { tag, body, dedupe }: NewEvent): void {
  const crc = checksum(tag, body)
  if (dedupe === undefined) args.push(tag, crc, body, '', '')
  else args.push(tag, crc, body, dedupe.id, REMEMBERED + dedupe.fingerprint)
}

/** Stands between serial and fingerprint of a remembered id. */
const REMEMBERED = '+'

/** What a guard's time is compared with in `lua/remove.lua`. */
export const guardTime = (guard: DeadlineGuard | undefined): string | number => guard?.at ?? ''

/** A session as the answers of a batch go through it, one after another. */
interface Progress {
  epoch: Epoch
  head: number
  tag: Tag
  readonly at: number
  floor: number
}

export const isBatchReply = (reply: unknown): boolean =>
  Array.isArray(reply) && Array.isArray(reply[1]) && Array.isArray(reply[2])

/** The whole answer of `lua/commit.lua`: what became of each commit. Only where it was refused does Redis say more than a number. */
export class BatchAnswer {
  readonly #now: number
  readonly #sessions: (Progress | null)[]
  readonly #answers: readonly unknown[]

  constructor(reply: unknown) {
    const [now, starts, answers] = reply as [number, readonly string[], readonly unknown[]]
    this.#now = now
    this.#sessions = starts.map(decodeStart)
    this.#answers = answers
  }

  /** To be asked for each commit once, in order. */
  take(index: number, session: number, request: CommitRequest): CommitResult {
    const answer = this.#answers[index]
    if (typeof answer !== 'number') return decodeRefusal(answer as string[], request)
    const { create, events = [] } = request
    if (create !== undefined) {
      const before = { head: 0, tag: GENESIS_TAG, floor: 0 }
      this.#sessions[session] = { epoch: create.epoch, at: this.#now, ...before }
    }
    const progress = this.#sessions[session]
    if (!progress) throw new HeldlineError('internal', 'unable to read the answer to a commit')
    const { epoch, at, floor, head, tag: prev } = progress
    progress.head = head + events.length
    progress.tag = events.at(-1)?.tag ?? prev
    const range = { first: head + 1, last: progress.head, prev, tag: progress.tag }
    return { outcome: 'committed', epoch, ...range, at, floor, bytes: answer }
  }
}

/** `epoch head tag at floor` of a session that was there. */
function decodeStart(start: string): Progress | null {
  if (start === '') return null
  const [epoch, head, tag, at, floor] = start.split(' ') as [Epoch, string, Tag, string, string]
  return { epoch, head: Number(head), tag, at: Number(at), floor: Number(floor) }
}

function decodeRefusal(answer: readonly string[], request: CommitRequest): CommitResult {
  const [outcome = '', ...rest] = answer
  switch (outcome) {
    case 'missing':
    case 'exists':
      return { outcome }
    case 'fenced':
      return { outcome, epoch: Number(rest[0]) }
    case 'gap':
      return { outcome, expected: Number(rest[0]) }
    case 'replayed':
      return decodeReplayed(rest, request.producer?.seq ?? 0)
    case 'duplicate':
      return { outcome, epoch: rest[0] as Epoch, known: decodeKnown(rest.slice(1)) }
    case 'conflict':
      return { outcome, ...decodeGuarded(rest) }
    default:
      throw new HeldlineError('internal', `unable to commit; Redis says ${rest[0] ?? outcome}`)
  }
}

/** `epoch, count, ranges`, where ranges are `seq:count:first,…` of the producer's last commits. */
function decodeReplayed(answer: readonly string[], seq: number): CommitResult {
  const [epoch, count, ring] = answer as [Epoch, string, string]
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
    const end = remembered.indexOf(REMEMBERED)
    known.push({
      id,
      serial: Number(remembered.slice(0, end)),
      fingerprint: remembered.slice(end + 1),
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
