import type { Entry, History, Seen } from '../support/history.ts'

export interface Verdict {
  readonly violations: readonly string[]
  readonly acknowledged: number
  readonly unknown: number
  readonly attaches: number
  readonly events: number
  readonly resets: number
  readonly nemeses: number
}

export interface Expectations {
  /** The mode promises that what was acknowledged survives what was done to it. */
  readonly keepsAcknowledged: boolean
}

/**
 * Judges a run by what everybody saw, once all is quiet and each node has given its whole log. The rules are those of the history checker that the
 * simulations use: C1 agreement, C2 density, C3 no lost acknowledgement, C4 order, C6 at most once, C7 liveness, C8 no ghosts.
 */
export function check(history: History, { keepsAcknowledged }: Expectations): Verdict {
  const violations: string[] = []
  const truth = agreedLog(history, violations)
  for (const [reader, entries] of byWho(history, 'attach')) {
    checkReader(reader, entries, truth, violations)
  }
  checkAppends(history, truth, keepsAcknowledged, violations)
  return {
    violations,
    acknowledged: history.of('append.ok').length,
    unknown: history.of('append.unknown').length,
    attaches: history.of('attach').length,
    events: history.of('event').length,
    resets: history.of('reset').length,
    nemeses: history.of('nemesis').length,
  }
}

/** What the nodes say the log is. They must agree, and it must be dense and chained. */
function agreedLog(history: History, violations: string[]): readonly Seen[] {
  const [first, ...others] = history.of('history')
  if (first === undefined) return []
  for (const other of others) {
    if (JSON.stringify(other.events) !== JSON.stringify(first.events))
      violations.push(`C1 ${other.node} and ${first.node} give different logs`)
  }
  for (const [index, event] of first.events.entries()) {
    const before = first.events[index - 1]
    if (before !== undefined && !follows(before, event))
      violations.push(`C2 the log has a hole at ${event.serial}`)
  }
  return first.events
}

function follows(before: Seen, event: Seen): boolean {
  return event.serial === before.serial + 1 && event.prev === before.tag
}

/** A reader's own line: dense but for what it was told, and in the end the log's. */
function checkReader(
  reader: string,
  entries: readonly Entry[],
  truth: readonly Seen[],
  violations: string[],
): void {
  const held = new Map<number, Seen>()
  let last: { readonly serial: number; readonly tag: string } | null = null
  for (const entry of entries) {
    if (entry.kind === 'reset') {
      held.clear()
      last = null
    } else if (entry.kind === 'snapshot') {
      const [, serial, tag = ''] = entry.position.split('.')
      if (entry.since === null) held.clear()
      last = { serial: Number(serial), tag }
    } else if (entry.kind === 'attach' && entry.position !== null) {
      const [, serial, tag = ''] = entry.position.split('.')
      if (last !== null && (last.serial !== Number(serial) || last.tag !== tag))
        violations.push(`C5 ${reader} lost its own place at ${entry.position}`)
      last = { serial: Number(serial), tag }
    } else if (entry.kind === 'event') {
      if (last !== null && (entry.serial !== last.serial + 1 || entry.prev !== last.tag))
        violations.push(`C2 ${reader} took ${entry.serial} after ${last.serial}`)
      last = entry
      held.set(entry.serial, entry)
    }
  }
  checkHeld(reader, held, truth, violations)
  const head = truth.at(-1)
  if (head !== undefined && last?.serial !== head.serial)
    violations.push(`C7 ${reader} ends at ${last?.serial ?? 'nothing'}, the log at ${head.serial}`)
}

function checkHeld(
  reader: string,
  held: ReadonlyMap<number, Seen>,
  truth: readonly Seen[],
  violations: string[],
): void {
  const floor = (truth[0]?.serial ?? 1) - 1
  const log = new Map(truth.map((event) => [event.serial, event]))
  for (const event of held.values()) {
    const real = log.get(event.serial)
    if (real === undefined) {
      if (event.serial > floor)
        violations.push(`C8 ${reader} holds ${event.serial}, the log does not`)
    } else if (real.tag !== event.tag || real.crc !== event.crc || real.epoch !== event.epoch) {
      violations.push(`C1 ${reader} holds other content at ${event.serial} than the log`)
    }
  }
}

function checkAppends(
  history: History,
  truth: readonly Seen[],
  keepsAcknowledged: boolean,
  violations: string[],
): void {
  const serials = new Map<string, number>()
  for (const { id, serial } of truth) {
    if (id === null) continue
    if (serials.has(id)) violations.push(`C6 ${id} stands at ${serials.get(id)} and ${serial}`)
    serials.set(id, serial)
  }
  const floor = (truth[0]?.serial ?? 1) - 1
  const epoch = truth[0]?.epoch
  const answered = new Map<string, Entry['kind']>()
  for (const entry of history.of('append.ok')) {
    answered.set(entry.id, entry.kind)
    const { id, serial } = entry
    if (!keepsAcknowledged || entry.epoch !== epoch || (serial ?? 0) <= floor) continue
    if (!serials.has(id)) violations.push(`C3 ${id} was acknowledged and is not in the log`)
    else if (serial !== null && serials.get(id) !== serial)
      violations.push(`C6 ${id} was acknowledged at ${serial} and stands at ${serials.get(id)}`)
  }
  const invoked = history.of('append.invoke')
  for (const { id } of invoked) {
    if (!answered.has(id)) violations.push(`C7 ${id} was never answered`)
  }
  checkOrder(invoked, serials, violations)
  const sent = new Set(invoked.map(({ id }) => id))
  for (const id of serials.keys()) if (!sent.has(id)) violations.push(`C8 nobody sent ${id}`)
}

/** Each sender's events stand in the order in which it sent them. */
function checkOrder(
  invoked: readonly Extract<Entry, { readonly kind: 'append.invoke' }>[],
  serials: ReadonlyMap<string, number>,
  violations: string[],
): void {
  const last = new Map<string, number>()
  for (const { who, id } of invoked) {
    const serial = serials.get(id)
    if (serial === undefined) continue
    if (serial <= (last.get(who) ?? 0)) violations.push(`C4 ${id} of ${who} stands out of order`)
    last.set(who, serial)
  }
}

/** The entries of everybody who has at least one of a kind. */
function byWho(history: History, kind: Entry['kind']): ReadonlyMap<string, readonly Entry[]> {
  const all = Map.groupBy(history.entries, ({ who }) => who)
  return new Map([...all].filter(([, entries]) => entries.some((entry) => entry.kind === kind)))
}
