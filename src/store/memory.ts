import { GENESIS_TAG, type Epoch, type SessionId } from '../protocol/ids.ts'
import type {
  CommitRequest,
  CommitResult,
  Committed,
  DeadlineGuard,
  DueDeadline,
  KnownId,
  ListPage,
  ListQuery,
  LogHead,
  Page,
  ProducerClaim,
  ReadRange,
  Store,
  StoredEvent,
  StoreHealth,
  TrimPolicy,
  TrimResult,
} from '../core/store.ts'
import { DEDUPE_WINDOW_MS } from '../core/store.ts'
import { assign } from './assign.ts'
import type { LocalSignals } from './local-signals.ts'
import { acceptClaim, refuseClaim, type Producer } from './producer.ts'

/** The executable specification of the store port: plain maps, one process, no promise beyond it. */
export class MemoryStore implements Store {
  readonly durability = 'memory'
  readonly #sessions = new Map<SessionId, Session>()
  readonly #signals: LocalSignals
  readonly #now: () => number

  constructor(signals: LocalSignals, now: () => number) {
    this.#signals = signals
    this.#now = now
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    const existing = this.#sessions.get(request.session)
    if (request.create !== undefined && existing !== undefined) return { outcome: 'exists' }
    const session = existing ?? (request.create && newSession(request.create.epoch))
    if (session === undefined) return { outcome: 'missing' }

    const now = Math.max(this.#now(), session.at)
    const refusal =
      checkProducer(session, request.producer) ??
      checkDedupe(session, request, now) ??
      checkGuards(session, request)
    if (refusal !== null) return refusal

    this.#sessions.set(request.session, session)
    return this.#apply(session, request, now)
  }

  #apply(session: Session, request: CommitRequest, now: number): Committed {
    const prev = session.head.tag
    const first = session.head.head + 1
    const events = assign(request.events ?? [], { first, prev, at: now })
    for (const event of events) session.bytes += bytesOf(event)
    session.log.push(...events)
    const last = events.at(-1)
    if (last !== undefined) {
      session.head = { ...session.head, head: last.serial, tag: last.tag }
      session.at = now
    }
    writeRecord(session, request, this.#now())
    remember(session, request, first, now)
    if (last !== undefined) {
      const { epoch } = session.head
      this.#signals.wake(request.session, {
        kind: 'committed',
        epoch,
        first,
        last: last.serial,
        events,
      })
    }
    const { epoch, head, tag, floor } = session.head
    const { bytes } = session
    return { outcome: 'committed', epoch, first, last: head, prev, tag, at: now, floor, bytes }
  }

  async read(id: SessionId, range: ReadRange): Promise<Page | null> {
    const session = this.#sessions.get(id)
    if (session === undefined) return null
    const start = Math.max(0, range.after - session.head.floor)
    const events: StoredEvent[] = []
    let bytes = 0
    for (const event of session.log.slice(start, start + range.limit)) {
      bytes += bytesOf(event)
      if (events.length > 0 && bytes > range.maxBytes) break
      events.push(event)
    }
    return { ...session.head, events }
  }

  async heads(ids: readonly SessionId[]): Promise<(LogHead | null)[]> {
    return ids.map((id) => this.#sessions.get(id)?.head ?? null)
  }

  async fields(
    id: SessionId,
    names: readonly string[],
  ): Promise<Map<string, string | null> | null> {
    const session = this.#sessions.get(id)
    if (session === undefined) return null
    return new Map(names.map((name) => [name, session.fields.get(name) ?? null]))
  }

  async list(query: ListQuery): Promise<ListPage> {
    const ids = [...this.#sessions.keys()]
      .filter((id) => id.startsWith(query.prefix) && (query.cursor === null || id > query.cursor))
      .toSorted((a, b) => (a < b ? -1 : 1))
    const page = ids.slice(0, query.limit)
    const sessions = page.map((id) => {
      // Present: the id came from the map in this same turn.
      const session = this.#sessions.get(id) as Session
      const fields = new Map(query.fields.map((name) => [name, session.fields.get(name) ?? null]))
      return { session: id, head: session.head, fields }
    })
    return { sessions, cursor: ids.length > page.length ? (page.at(-1) ?? null) : null }
  }

  async due(limit: number): Promise<DueDeadline[]> {
    const now = this.#now()
    return [...this.#sessions]
      .flatMap(([session, { deadlines }]) =>
        [...deadlines].map(([deadline, at]) => ({ session, deadline, at })),
      )
      .filter((due) => due.at <= now)
      .toSorted((a, b) => a.at - b.at)
      .slice(0, limit)
  }

  async trim(id: SessionId, policy: TrimPolicy): Promise<TrimResult | null> {
    const session = this.#sessions.get(id)
    if (session === undefined) return null
    const { guard } = policy
    if (guard !== undefined && (session.fields.get(guard.field) ?? null) !== guard.equals) {
      return { floor: session.head.floor, trimmed: 0, more: false }
    }
    const oldest = policy.maxAgeMs === null ? -Infinity : this.#now() - policy.maxAgeMs
    const unwanted = (): StoredEvent | null => {
      const event = session.log[0]
      if (event === undefined || event.serial > policy.notAfter) return null
      const beyond =
        (policy.maxEvents !== null && session.log.length > policy.maxEvents) ||
        (policy.maxBytes !== null && session.bytes > policy.maxBytes) ||
        event.at < oldest
      return beyond ? event : null
    }
    let trimmed = 0
    for (let event = unwanted(); event !== null && trimmed < policy.limit; event = unwanted()) {
      session.log.shift()
      session.bytes -= bytesOf(event)
      session.head = { ...session.head, floor: event.serial, floorTag: event.tag }
      trimmed++
    }
    return { floor: session.head.floor, trimmed, more: unwanted() !== null }
  }

  async remove(id: SessionId, guard?: DeadlineGuard): Promise<boolean> {
    const session = this.#sessions.get(id)
    if (session === undefined) return false
    if (guard !== undefined && (session.deadlines.get(guard.deadline) ?? null) !== guard.at)
      return false
    this.#sessions.delete(id)
    this.#signals.wake(id, { kind: 'removed' })
    return true
  }

  async check(): Promise<StoreHealth> {
    return { ok: true, detail: 'in this process; gone with it' }
  }

  async close(): Promise<void> {
    this.#sessions.clear()
  }
}

interface Session {
  head: LogHead
  /** The time of the last event: the log's time never falls. */
  at: number
  bytes: number
  readonly log: StoredEvent[]
  readonly fields: Map<string, string>
  readonly deadlines: Map<string, number>
  readonly producers: Map<string, Producer>
  readonly ids: Map<string, { serial: number; fingerprint: string; until: number }>
}

function newSession(epoch: Epoch): Session {
  return {
    head: { epoch, head: 0, tag: GENESIS_TAG, floor: 0, floorTag: GENESIS_TAG },
    at: 0,
    bytes: 0,
    log: [],
    fields: new Map(),
    deadlines: new Map(),
    producers: new Map(),
    ids: new Map(),
  }
}

const bytesOf = (event: StoredEvent): number => Buffer.byteLength(event.text)

function checkProducer(session: Session, claim: ProducerClaim | undefined): CommitResult | null {
  if (claim === undefined) return null
  return refuseClaim(session.producers.get(claim.id), claim, session.head.epoch)
}

function checkDedupe(session: Session, request: CommitRequest, now: number): CommitResult | null {
  const known: KnownId[] = []
  for (const { dedupe } of request.events ?? []) {
    const entry = dedupe && session.ids.get(dedupe.id)
    if (dedupe === undefined || entry === undefined) continue
    if (entry.until >= now)
      known.push({ id: dedupe.id, serial: entry.serial, fingerprint: entry.fingerprint })
  }
  return known.length === 0 ? null : { outcome: 'duplicate', epoch: session.head.epoch, known }
}

function checkGuards(session: Session, request: CommitRequest): CommitResult | null {
  const fields = new Map<string, string | null>()
  const deadlines = new Map<string, number | null>()
  let holds = true
  for (const guard of request.guards ?? []) {
    if ('field' in guard) {
      const value = session.fields.get(guard.field) ?? null
      fields.set(guard.field, value)
      holds &&= value === guard.equals
    } else {
      const at = session.deadlines.get(guard.deadline) ?? null
      deadlines.set(guard.deadline, at)
      holds &&= at === guard.at
    }
  }
  return holds ? null : { outcome: 'conflict', fields, deadlines }
}

function writeRecord(session: Session, request: CommitRequest, now: number): void {
  for (const { field, value } of request.writes ?? []) {
    if (value === null) session.fields.delete(field)
    else session.fields.set(field, value)
  }
  for (const { deadline, inMs } of request.deadlines ?? []) {
    if (inMs === null) session.deadlines.delete(deadline)
    else session.deadlines.set(deadline, now + inMs)
  }
}

function remember(session: Session, request: CommitRequest, first: number, now: number): void {
  for (const [index, { dedupe }] of (request.events ?? []).entries()) {
    if (dedupe === undefined) continue
    const until = now + DEDUPE_WINDOW_MS
    // Last in the order of the map again, which the clean-up below goes by.
    session.ids.delete(dedupe.id)
    session.ids.set(dedupe.id, { serial: first + index, fingerprint: dedupe.fingerprint, until })
  }
  for (const [id, entry] of session.ids) {
    if (entry.until >= now) break
    session.ids.delete(id)
  }
  const claim = request.producer
  if (claim === undefined) return
  const known = session.producers.get(claim.id)
  session.producers.set(claim.id, acceptClaim(known, claim, first))
}
