import { ERRORS } from '../../src/protocol/errors.ts'
import type { Entry, Seen } from './history.ts'

/** What no error table can answer: something ended up where nobody took it. */
export interface Uncaught {
  readonly kind: 'uncaught'
  readonly ms: number
  readonly who: string
  readonly session: string
  readonly error: string
}

export type Recorded = Entry | Uncaught

/**
 * C1 agreement, C2 density, C3 no lost acknowledgement, C4 order, C5 honest resume, C6 at most once, C7 liveness, C8 no ghost, C12 answers.
 * [reliability 5.3]
 */
export type Rule = 'C1' | 'C2' | 'C3' | 'C4' | 'C5' | 'C6' | 'C7' | 'C8' | 'C12'

export interface Violation {
  readonly rule: Rule
  readonly session: string
  readonly what: string
}

export interface Report {
  readonly violations: readonly Violation[]
  readonly counts: {
    readonly acknowledged: number
    readonly unknown: number
    readonly refused: number
    readonly attaches: number
    readonly taken: number
    readonly resets: number
    readonly nemeses: number
    /** Acknowledged, and not in the log any more, where the mode does not promise it. */
    readonly lost: number
  }
}

export interface CheckOptions {
  /** Whether the mode promises that what was acknowledged survives what was done to it. */
  readonly keepsAcknowledged: boolean
  /** Readers that need not be at the head: those that went for good. */
  readonly gone?: ReadonlySet<string>
}

/**
 * Judges a run by what everybody saw. To be asked once the faults are over and all is quiet: then every session has been read whole through each
 * node (`history`), oldest event first.
 */
export function checkHistory(recorded: readonly Recorded[], options: CheckOptions): Report {
  const violations: Violation[] = []
  let lost = 0
  const everywhere = senders(recorded)
  for (const [session, entries] of Map.groupBy(recorded, (entry) => entry.session)) {
    const check = new SessionCheck(session, entries, options, violations)
    check.run(everywhere)
    lost += check.lost
  }
  const count = (kind: Recorded['kind']) => recorded.filter((entry) => entry.kind === kind).length
  return {
    violations,
    counts: {
      acknowledged: count('append.ok'),
      unknown: count('append.unknown'),
      refused: count('append.refused'),
      attaches: count('attach'),
      taken: count('event'),
      resets: count('reset'),
      nemeses: count('nemesis'),
      lost,
    },
  }
}

/** The records as they are written: one JSON object a line. */
export function parseHistory(lines: string): Recorded[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Recorded)
}

/** Which session each id was sent to. */
function senders(recorded: readonly Recorded[]): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  for (const entry of recorded) if (entry.kind === 'append.invoke') all.set(entry.id, entry.session)
  return all
}

const CLOSE_CODES = new Set([
  1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4408,
  4410, 4413, 4429, 4508, 4509,
])

class SessionCheck {
  readonly #session: string
  readonly #entries: readonly Recorded[]
  readonly #options: CheckOptions
  readonly #violations: Violation[]
  /** The log, by serial: all that the nodes gave, put together. */
  readonly #log = new Map<number, Seen>()
  #floor = Infinity
  lost = 0

  constructor(
    session: string,
    entries: readonly Recorded[],
    options: CheckOptions,
    violations: Violation[],
  ) {
    this.#session = session
    this.#entries = entries
    this.#options = options
    this.#violations = violations
  }

  run(sentTo: ReadonlyMap<string, string>): void {
    this.#checkLogs()
    for (const [who, entries] of Map.groupBy(this.#entries, (entry) => entry.who)) {
      if (entries.some((entry) => entry.kind === 'attach')) this.#checkReader(who, entries)
      this.#checkAnswers(who, entries)
    }
    this.#checkAppends(sentTo)
  }

  /** The nodes agree, and the log is one dense chain. */
  #checkLogs(): void {
    for (const entry of this.#entries) {
      if (entry.kind !== 'history') continue
      let before: Seen | null = null
      for (const event of entry.events) {
        if (before !== null && !follows(before, event))
          this.#wrong('C2', `the log of ${entry.node} has a hole before ${event.serial}`)
        before = event
        const known = this.#log.get(event.serial)
        if (known !== undefined && !same(known, event))
          this.#wrong('C1', `${entry.node} gives another event ${event.serial} than another node`)
        this.#log.set(event.serial, event)
        this.#floor = Math.min(this.#floor, event.serial - 1)
      }
    }
  }

  /** A reader's line: each the next of the one before, until it is told otherwise; in the end what the log holds, up to its head. */
  #checkReader(who: string, entries: readonly Recorded[]): void {
    const held = new Map<number, Seen>()
    let at: Pick<Seen, 'epoch' | 'serial' | 'tag'> | null = null
    for (const entry of entries) {
      if (entry.kind === 'reset') {
        held.clear()
        at = null
      } else if (entry.kind === 'snapshot') {
        if (entry.since === null) held.clear()
        at = parse(entry.position)
      } else if (entry.kind === 'attach') {
        const from = entry.position === null ? null : parse(entry.position)
        if (from !== null && at !== null && (from.serial !== at.serial || from.tag !== at.tag))
          this.#wrong('C5', `${who} attaches at ${entry.position}, and was at ${at.serial}`)
        // Whoever names no position takes whatever comes first.
        at = from
      } else if (entry.kind === 'event') {
        const known = held.get(entry.serial)
        if (known !== undefined && !same(known, entry))
          this.#wrong('C5', `${who} is given another ${entry.serial} than it holds`)
        if (at !== null && !follows(at, entry))
          this.#wrong('C2', `${who} took ${entry.serial} after ${at.serial}`)
        at = entry
        held.set(entry.serial, entry)
      }
    }
    this.#checkHeld(who, held)
    this.#checkAtHead(who, at)
  }

  #checkHeld(who: string, held: ReadonlyMap<number, Seen>): void {
    for (const event of held.values()) {
      const real = this.#log.get(event.serial)
      if (real !== undefined && !same(real, event))
        this.#wrong('C1', `${who} holds another ${event.serial} than the log, and was not reset`)
      else if (real === undefined && event.serial > this.#floor)
        this.#wrong('C1', `${who} holds ${event.serial}, which the log does not, and was not reset`)
    }
  }

  #checkAtHead(who: string, at: Pick<Seen, 'serial' | 'tag'> | null): void {
    const head = this.#head()
    if (head === null || this.#options.gone?.has(who)) return
    if (at?.serial !== head.serial)
      this.#wrong('C7', `${who} ends at ${at?.serial ?? 'no position'}, the log at ${head.serial}`)
    else if (at.tag !== head.tag)
      this.#wrong('C1', `${who} ends at another ${head.serial} than the log, and was not reset`)
  }

  #checkAnswers(who: string, entries: readonly Recorded[]): void {
    for (const entry of entries) {
      if (entry.kind === 'uncaught') this.#wrong('C12', `${who} saw ${entry.error}`)
      if (entry.kind === 'close' && !CLOSE_CODES.has(entry.code))
        this.#wrong('C12', `${who} was closed with ${entry.code}`)
      const code = entry.kind === 'append.refused' || entry.kind === 'error' ? entry.code : null
      if (code !== null && (!Object.hasOwn(ERRORS, code) || code === 'internal'))
        this.#wrong('C12', `${who} was answered ${code}`)
    }
  }

  #checkAppends(sentTo: ReadonlyMap<string, string>): void {
    const serials = this.#serials(sentTo)
    const appends = new Map<string, Append>()
    /** What each sender had had acknowledged so far: whatever it sends after that stands after it. */
    const settled = new Map<string, Placed>()
    for (const entry of this.#entries) {
      if (!entry.kind.startsWith('append.') || !('id' in entry) || entry.id === null) continue
      const { id, who } = entry
      const after = settled.get(who) ?? { id: '', serial: 0 }
      const append = appends.get(id) ?? { who, id, after, last: '', lost: false }
      appends.set(id, append)
      append.last = entry.kind
      if (entry.kind !== 'append.ok') continue
      this.#checkAcknowledged(entry, append, serials)
      const serial = serials.get(id) ?? 0
      if (serial > after.serial) settled.set(who, { id, serial })
    }
    for (const append of appends.values()) this.#checkOutcome(append, serials)
  }

  /** Where each id stands in the log: once, and sent by somebody, to this session. */
  #serials(sentTo: ReadonlyMap<string, string>): ReadonlyMap<string, number> {
    const serials = new Map<string, number>()
    for (const { id, serial } of this.#log.values()) {
      if (id === null) continue
      const before = serials.get(id)
      if (before !== undefined) this.#wrong('C6', `${id} stands at ${before} and at ${serial}`)
      serials.set(id, serial)
      const session = sentTo.get(id)
      if (session === undefined) this.#wrong('C8', `nobody sent ${id}`)
      else if (session !== this.#session)
        this.#wrong('C8', `${id} was sent to ${session} and stands here`)
    }
    return serials
  }

  #checkAcknowledged(
    entry: Extract<Entry, { kind: 'append.ok' }>,
    append: Append,
    serials: ReadonlyMap<string, number>,
  ): void {
    const { id, serial, epoch } = entry
    const stands = serials.get(id)
    if (stands === undefined) {
      if (serial !== null && serial <= this.#floor && epoch === this.#head()?.epoch) return
      if (!append.lost) this.lost++
      append.lost = true
      if (this.#options.keepsAcknowledged)
        this.#wrong('C3', `${id} was acknowledged at ${serial} and is not in the log`)
    } else if (serial !== null && serial !== stands && this.#options.keepsAcknowledged) {
      this.#wrong('C6', `${id} was acknowledged at ${serial} and stands at ${stands}`)
    }
  }

  #checkOutcome({ id, last, who, after }: Append, serials: ReadonlyMap<string, number>): void {
    const stands = serials.get(id)
    if (last === 'append.invoke') this.#wrong('C7', `${id} of ${who} was never answered`)
    if (last === 'append.refused' && stands !== undefined)
      this.#wrong('C6', `${id} was refused and stands at ${stands}`)
    if (stands !== undefined && stands < after.serial)
      this.#wrong(
        'C4',
        `${id} of ${who} stands before ${after.id}, which was there when it was sent`,
      )
  }

  #head(): Seen | null {
    let head: Seen | null = null
    for (const event of this.#log.values()) if (event.serial > (head?.serial ?? 0)) head = event
    return head
  }

  #wrong(rule: Rule, what: string): void {
    this.#violations.push({ rule, session: this.#session, what })
  }
}

interface Placed {
  readonly id: string
  readonly serial: number
}

interface Append {
  readonly who: string
  readonly id: string
  readonly after: Placed
  last: string
  lost: boolean
}

function follows(before: Pick<Seen, 'serial' | 'tag'>, event: Seen): boolean {
  return event.serial === before.serial + 1 && event.prev === before.tag
}

function same(a: Seen, b: Seen): boolean {
  return a.tag === b.tag && a.crc === b.crc && a.epoch === b.epoch
}

function parse(position: string): Pick<Seen, 'epoch' | 'serial' | 'tag'> {
  const [epoch = '', serial, tag = ''] = position.split('.')
  return { epoch, serial: Number(serial), tag }
}
