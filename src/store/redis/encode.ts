import { decodeHead } from '../../protocol/codec.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { Epoch, Tag } from '../../protocol/ids.ts'
import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  KnownId,
  LogHead,
  NewEvent,
  StoredEvent,
} from '../../core/store.ts'
import { GENESIS_TAG } from '../../protocol/ids.ts'
import { CHECKSUM_LENGTH, checksum, hex } from './checksum.ts'

/** What `lua/commit.lua` is told of a session: whether this node listens, and which keys are touched beside record and log. */
export const LISTENS = 1
export const KEYS_OF_IDS = 2
export const KEYS_OF_PLACES = 4

/**
 * A request as arguments of `lua/commit.lua`, whose header is the other half of this file.
 * @param session its number in the batch
 * @returns the keys that it touches: a sum of the above
 */
export function pushCommit(
  args: (string | number)[],
  session: number,
  { create, producer, guards = [], events = [], writes = [], deadlines = [] }: CommitRequest,
): number {
  const withIds = hasIds(events)
  const form = args.push(session, '') - 1
  if (create !== undefined) args.push(create.epoch)
  if (producer !== undefined) {
    args.push(producer.id, producer.epoch, producer.seq, producer.count)
  }
  const beforeGuards = args.length
  for (const guard of guards) {
    if ('field' in guard) pushField(args, 'f', guard.field, guard.equals)
    else pushField(args, 'd', guard.deadline, guard.at)
  }
  const afterGuards = args.length
  for (const event of events) pushEvent(args, event, withIds)
  const beforeWrites = args.length
  for (const { field, value } of writes) pushField(args, 'f', field, value)
  const afterWrites = args.length
  for (const { deadline, inMs } of deadlines) {
    args.push(deadline, inMs === null ? '' : Math.round(inMs))
  }
  args[form] =
    `${create === undefined ? 0 : 1} ${producer === undefined ? 0 : 1} ${afterGuards - beforeGuards} ${events.length} ${withIds ? 1 : 0} ${afterWrites - beforeWrites} ${deadlines.length}`
  if (create !== undefined) return KEYS_OF_IDS + KEYS_OF_PLACES
  const placed = deadlines.length > 0 || guards.some((guard) => 'deadline' in guard)
  return (withIds ? KEYS_OF_IDS : 0) + (placed ? KEYS_OF_PLACES : 0)
}

function hasIds(events: readonly NewEvent[]): boolean {
  for (const { dedupe } of events) if (dedupe !== undefined) return true
  return false
}

/** A field with its value, or, with `null`, as absent. */
function pushField(
  args: (string | number)[],
  kind: 'f' | 'd',
  name: string,
  value: string | number | null,
): void {
  if (value === null) args.push(`-${kind}${name}`)
  else args.push(`=${kind}${name}`, value)
}

function pushEvent(
  args: (string | number)[],
  { tag, body, dedupe }: NewEvent,
  withIds: boolean,
): void {
  args.push(tag + hex(checksum(tag, body)), body)
  if (!withIds) return
  if (dedupe === undefined) args.push('', '')
  else args.push(dedupe.id, REMEMBERED + dedupe.fingerprint)
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
    this.#sessions = starts.map((start) => decodeStart(start, now))
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

/** The record's `.` and, once something was trimmed, `,` of a session that was there. Its time never goes back. */
function decodeStart(start: string, now: number): Progress | null {
  if (start === '') return null
  const [epoch, head, tag, last, _bytes, _g1, _g0, floor = '0'] = start.split(' ') as [
    Epoch,
    string,
    Tag,
    ...string[],
  ]
  return { epoch, head: Number(head), tag, at: Math.max(now, Number(last)), floor: Number(floor) }
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
  // Behind the head, which ends with the first comma after its time.
  const body = text.slice(text.indexOf(',', text.indexOf(',"at":') + 1) + 1)
  if (Number.parseInt(entry.slice(0, CHECKSUM_LENGTH), 16) !== checksum(head.tag, body)) return null
  return { serial: head.serial, tag: head.tag, prev: head.prev, at: head.at, text }
}
