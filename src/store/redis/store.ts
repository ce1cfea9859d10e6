import { randomBytes } from 'node:crypto'
import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId, Tag } from '../../protocol/ids.ts'
import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  DueDeadline,
  Durability,
  ListPage,
  ListQuery,
  LogHead,
  Page,
  ReadRange,
  Store,
  StoredEvent,
  StoreHealth,
  TrimPolicy,
  TrimResult,
} from '../../core/store.ts'
import { assign } from '../assign.ts'
import type { Appended } from './batch.ts'
import { callScript } from './calls.ts'
import { decodeEntry, decodeLogHead, guardTime } from './encode.ts'
import { dueDeadlines } from './due.ts'
import { bucketOf, keysOf, removalKey } from './keys.ts'
import { Lane, type LaneSettings } from './lane.ts'
import type { Link } from './link.ts'
import { listSessions } from './list.ts'
import type { Looker } from './looker.ts'
import { headOf, ReadAhead, type RawPage } from './read-ahead.ts'
import { readRecords } from './records.ts'
import { SCRIPTS, type Script } from './scripts.ts'
import type { RedisSignals } from './signals.ts'

export interface RedisStoreSettings {
  readonly commits: Link
  readonly reads: Link
  readonly signals: RedisSignals
  readonly durability: Durability
  readonly instance: string
  /** One script may touch one bucket only. */
  readonly clustered: boolean
  /** So many replicas have to confirm, within the time; `null`: none. */
  readonly wait: { readonly replicas: number; readonly timeoutMs: number } | null
  readonly deadlineMs: number
  readonly check: () => Promise<StoreHealth>
  /** Lets go of the connections, last of all. */
  readonly release: () => void
}

/** The store port on Redis. See `keys.ts` for what stands where, `lua/` for what is done to it, `lane.ts` for how commits get there. */
export class RedisStore implements Store {
  readonly durability: Durability
  readonly #settings: RedisStoreSettings
  readonly #lanes = new Map<number, Lane>()
  readonly #pages = new ReadAhead({
    fetch: (session, range) => this.#fetch(session, range),
    decode: decodePage,
  })
  #dueFrom = 0
  #closed: Promise<void> | null = null

  constructor(settings: RedisStoreSettings) {
    this.durability = settings.durability
    this.#settings = settings
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    const bucket = this.#settings.clustered ? bucketOf(request.session) : 0
    let lane = this.#lanes.get(bucket)
    if (lane === undefined) {
      lane = new Lane(this.#laneSettings(), bucket)
      this.#lanes.set(bucket, lane)
    }
    return this.#closed === null ? lane.commit(request) : Promise.reject(closed('commit'))
  }

  read(session: SessionId, range: ReadRange): Promise<Page | null> {
    return this.#pages.read(session, range)
  }

  async heads(sessions: readonly SessionId[]): Promise<(LogHead | null)[]> {
    const records = await readRecords(this.#looker('read heads'), sessions, [])
    return records.map((record) => record?.head ?? null)
  }

  async fields(
    session: SessionId,
    names: readonly string[],
  ): Promise<Map<string, string | null> | null> {
    const [record] = await readRecords(this.#looker('read fields'), [session], names)
    return record?.fields ?? null
  }

  list(query: ListQuery): Promise<ListPage> {
    return listSessions(this.#looker('list sessions'), query)
  }

  async due(limit: number): Promise<DueDeadline[]> {
    const found = await dueDeadlines(this.#looker('look for deadlines'), limit, this.#dueFrom)
    this.#dueFrom = found.next
    return found.due
  }

  async trim(session: SessionId, policy: TrimPolicy): Promise<TrimResult | null> {
    const { record, log } = keysOf(session)
    const answer = await this.#change(
      'trim',
      SCRIPTS.trim,
      [record, log],
      [
        policy.maxEvents ?? '',
        policy.maxBytes ?? '',
        policy.maxAgeMs ?? '',
        policy.notAfter,
        policy.limit,
        ...guardOf(policy),
      ],
    )
    if (answer === null) return null
    const [floor, trimmed, more] = answer as [string, number, number]
    return { floor: Number(floor), trimmed, more: more === 1 }
  }

  async remove(session: SessionId, guard?: DeadlineGuard): Promise<boolean> {
    const keys = keysOf(session)
    const { clustered, instance, signals } = this.#settings
    const publish = clustered ? 'spublish' : 'publish'
    const nonce = randomBytes(9).toString('base64url')
    const answer = await this.#change(
      'remove',
      SCRIPTS.remove,
      [
        removalKey(keys.bucket, nonce),
        keys.record,
        keys.log,
        keys.evenIds,
        keys.oddIds,
        keys.due,
        keys.index,
      ],
      [
        session,
        publish,
        keys.channel,
        instance,
        guard?.deadline ?? '',
        guardTime(guard),
        guard === undefined ? 0 : 1,
      ],
    )
    if (answer !== 1) return false
    signals.wake(session, { kind: 'removed' })
    return true
  }

  check(): Promise<StoreHealth> {
    return this.#settings.check()
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.all([...this.#lanes.values()].map((lane) => lane.close()))
      this.#settings.release()
    })()
    return this.#closed
  }

  async #fetch(session: SessionId, range: ReadRange): Promise<RawPage | null> {
    const { record, log } = keysOf(session)
    const args = [Math.max(0, range.after), range.limit, range.maxBytes]
    const page = await this.#look('read', SCRIPTS.read, [record, log], args)
    if (page === null) return null
    const [head, floor, ...entries] = page as [string, string | null, ...string[]]
    return { ...decodeLogHead(head, floor), entries }
  }

  #laneSettings(): LaneSettings {
    const { commits, instance, clustered, wait, deadlineMs, signals } = this.#settings
    return {
      link: commits,
      instance,
      publish: clustered ? 'spublish' : 'publish',
      wait,
      deadlineMs,
      listens: (session) => signals.hears(session),
      onAppended: (session, appended) => this.#wake(session, appended),
      onUnknown: () => signals.restored(),
    }
  }

  #wake(session: SessionId, { place, events }: Appended): void {
    const { signals } = this.#settings
    if (!signals.hears(session)) return
    const { epoch, first } = place
    const last = first + events.length - 1
    signals.wake(session, {
      kind: 'committed',
      epoch,
      first,
      last,
      events: assign(events, place),
    })
  }

  #look(
    doing: string,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    if (this.#closed !== null) return Promise.reject(closed(doing))
    const call = { doing, script, keys, args, effect: false }
    return callScript(this.#settings.reads, call, this.#settings.deadlineMs)
  }

  #looker(doing: string): Looker {
    return {
      clustered: this.#settings.clustered,
      look: (script, keys, args) => this.#look(doing, script, keys, args),
    }
  }

  #change(
    doing: string,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    if (this.#closed !== null) return Promise.reject(closed(doing))
    const { commits, deadlineMs, wait } = this.#settings
    return callScript(commits, { doing, script, keys, args, effect: true, wait }, deadlineMs)
  }
}

/** Entries as events, up to the first that is not what was stored. */
function decodePage(session: SessionId, after: number, page: RawPage): Page {
  const events: StoredEvent[] = []
  const first = Math.max(after, page.floor)
  let before: { serial: number; tag: Tag | null } = {
    serial: first,
    tag: first === page.floor ? page.floorTag : null,
  }
  for (const entry of page.entries) {
    const event = decodeEntry(entry, before)
    if (event === null) {
      if (events.length > 0) break
      const serial = before.serial + 1
      throw new HeldlineError(
        'event_corrupt',
        `unable to read; event ${serial} is not what was stored`,
        { facts: { session, serial } },
      )
    }
    events.push(event)
    before = event
  }
  return { ...headOf(page), events }
}

const closed = (doing: string): HeldlineError =>
  new HeldlineError('store_unavailable', `unable to ${doing}; the store is closed`)

/** The field that must be what it was, as the record names it, and its value unless it must be absent. */
function guardOf({ guard }: TrimPolicy): string[] {
  if (guard === undefined) return []
  const field = `f${guard.field}`
  return guard.equals === null ? [field] : [field, guard.equals]
}
