import type { SessionId } from '../../protocol/ids.ts'
import type { LogHead, Page, ReadRange } from '../../core/store.ts'

/** Pages that are held for readers who may never come. */
const MAX_AHEAD = 8
/** Places where a reader may go on. */
const MAX_ENDS = 256

/** A page as it came, not looked into yet. */
export interface RawPage extends LogHead {
  /** The first is the one after `after`, or after the floor. */
  readonly entries: readonly string[]
}

interface ReadAheadPorts {
  readonly fetch: (session: SessionId, range: ReadRange) => Promise<RawPage | null>
  readonly decode: (session: SessionId, after: number, page: RawPage) => Page
}

/**
 * Reads long stretches of a log: while one page is decoded and sent, Redis makes the next. Whoever goes on where a page ended gets the one after it read
 * ahead, from the third page on, so that a short return costs no read in vain.
 *
 * A page that was read ahead is given with the head of now, and only once its last event is found in the log of now, under the same tag: the chain of tags
 * then proves the ones before it too, whatever happened to the log meanwhile.
 */
export class ReadAhead {
  readonly #ports: ReadAheadPorts
  readonly #ends = new Set<string>()
  readonly #ahead = new Map<string, Promise<RawPage | null>>()

  constructor(ports: ReadAheadPorts) {
    this.#ports = ports
  }

  async read(session: SessionId, range: ReadRange): Promise<Page | null> {
    const key = keyOf(session, range)
    const ahead = this.#ahead.get(key)
    this.#ahead.delete(key)
    const goesOn = this.#ends.delete(key)
    const page =
      (ahead === undefined ? null : await this.#take(session, range, await ahead)) ??
      (await this.#now(session, range, goesOn))
    const last = page?.events.at(-1)
    if (page !== null && last !== undefined && last.serial < page.head) {
      keep(this.#ends, MAX_ENDS).add(keyOf(session, { ...range, after: last.serial }))
    }
    return page
  }

  async #now(session: SessionId, range: ReadRange, goesOn: boolean): Promise<Page | null> {
    const page = await this.#ports.fetch(session, range)
    if (page === null) return null
    if (goesOn) this.#begin(session, range, page)
    return this.#ports.decode(session, range.after, page)
  }

  /** `null` where the page is no longer, or not provably, what the log holds. */
  async #take(session: SessionId, range: ReadRange, ahead: RawPage | null): Promise<Page | null> {
    if (ahead === null || ahead.entries.length === 0) return null
    const { fetch, decode } = this.#ports
    const after = lastOf(range, ahead) - 1
    // Asked for before the next page, which keeps Redis busy for longer.
    const asked = fetch(session, { after, limit: 1, maxBytes: 1 }).catch(() => null)
    this.#begin(session, range, ahead)
    const { events } = decode(session, range.after, ahead)
    const now = await asked
    if (now === null || now.epoch !== ahead.epoch || now.floor > range.after) return null
    // Where not all of it could be decoded, it is read again, to be told as any other.
    const whole = events.length === ahead.entries.length
    return whole && now.entries[0] === ahead.entries.at(-1) ? { ...headOf(now), events } : null
  }

  /** The last page is read when it is asked for, and not before: it decides who is up to date. */
  #begin(session: SessionId, range: ReadRange, page: RawPage): void {
    const next = { ...range, after: lastOf(range, page) }
    if (page.entries.length === 0 || page.head - next.after <= page.entries.length) return
    const key = keyOf(session, next)
    if (this.#ahead.has(key)) return
    // A failure is met again by the read that is made instead, and told there.
    const ahead = this.#ports.fetch(session, next).catch(() => null)
    keep(this.#ahead, MAX_AHEAD).set(key, ahead)
  }
}

const keyOf = (session: SessionId, { after, limit, maxBytes }: ReadRange): string =>
  `${after} ${limit} ${maxBytes} ${session}`

const lastOf = ({ after }: ReadRange, { floor, entries }: RawPage): number =>
  Math.max(after, floor) + entries.length

export const headOf = ({ epoch, head, tag, floor, floorTag }: LogHead): LogHead => ({
  epoch,
  head,
  tag,
  floor,
  floorTag,
})

/** Room for one more: the oldest goes. */
function keep<Kept extends Set<string> | Map<string, unknown>>(kept: Kept, most: number): Kept {
  for (const oldest of kept.keys()) {
    if (kept.size < most) break
    kept.delete(oldest)
  }
  return kept
}
