import { HeldlineError } from '../protocol/errors.ts'
import type { ResetReason } from '../protocol/frames-down.ts'
import type { SessionId } from '../protocol/ids.ts'
import { formatPosition, type Position } from '../protocol/position.ts'
import type { Clock } from './clock.ts'
import { sessionNotFound } from './commit.ts'
import { headPosition, judge } from './judge.ts'
import type { Limits } from './limits.ts'
import type { Signals } from './signals.ts'
import type { LogHead, Page, Store, StoredEvent } from './store.ts'

export interface EventsPage {
  readonly head: LogHead
  readonly events: readonly StoredEvent[]
  /** Where to read on from. */
  readonly position: Position
}

export interface ReadPorts {
  readonly store: Store
  readonly signals: Signals
  readonly clock: Clock
  readonly limits: Limits
}

/**
 * @param after a position, which is judged; or a serial, which the caller trusts
 * @throws HeldlineError `position_unrecoverable` with the reason, `session_not_found`
 */
export async function eventsAfter(
  ports: ReadPorts,
  session: SessionId,
  after: Position | number,
  options: { readonly limit: number; readonly waitMs: number; readonly signal?: AbortSignal },
): Promise<EventsPage> {
  const patience = new Patience(ports, session, options.waitMs, options.signal)
  try {
    for (;;) {
      const seen = patience.wakes
      const page = await readPage(ports, session, after, options.limit)
      if (page.events.length > 0 || patience.over) return page
      await patience.next(seen)
    }
  } finally {
    patience.close()
  }
}

async function readPage(
  ports: ReadPorts,
  session: SessionId,
  after: Position | number,
  limit: number,
): Promise<EventsPage> {
  const serial = typeof after === 'number' ? after : after.serial
  const range = { after: serial, limit, maxBytes: 8 * ports.limits.pageBytes }
  const page = await ports.store.read(session, range)
  if (page === null) throw sessionNotFound()
  const reason = typeof after === 'number' ? judgeSerial(after, page) : judgePosition(after, page)
  if (reason !== null) throw unrecoverable(reason, page)
  const last = page.events.at(-1)
  const position =
    last === undefined
      ? standing(after, page)
      : { epoch: page.epoch, serial: last.serial, tag: last.tag }
  return { head: page, events: page.events, position }
}

function standing(after: Position | number, page: Page): Position {
  return typeof after === 'number' ? headPosition(page) : after
}

function judgePosition(position: Position, page: Page): ResetReason | null {
  const verdict = judge(position, page)
  return verdict.kind === 'reset' ? verdict.reason : null
}

/** Serial 0 means "from the earliest that is kept". */
function judgeSerial(serial: number, page: Page): ResetReason | null {
  if (serial > page.head) return 'ahead'
  return serial !== 0 && serial < page.floor ? 'trimmed' : null
}

export function unrecoverable(reason: ResetReason, head: LogHead): HeldlineError {
  return new HeldlineError('position_unrecoverable', `unable to read on from there; ${reason}`, {
    facts: { reason, floor: head.floor, head: formatPosition(headPosition(head)) },
  })
}

const LOOK_AGAIN_MS = 4000
/** A subscription is not heard everywhere at once: what happens right after it may wake nobody. */
const FIRST_LOOK_AGAIN_MS = 500

/** The waiting of a long poll: ends with a wake-up, the time, or the caller; a lost wake-up costs a look every 4 s. */
class Patience {
  wakes = 0
  over: boolean
  #release: (() => void) | null = null
  readonly #closers: (() => void)[] = []

  constructor(ports: ReadPorts, session: SessionId, waitMs: number, signal?: AbortSignal) {
    this.over = waitMs <= 0 || signal?.aborted === true
    if (this.over) return
    const { clock, signals } = ports
    const end = (): void => {
      this.over = true
      this.#wake()
    }
    const wakes = signals.subscribe(session, (wake) => {
      if (wake.kind !== 'signal') this.#wake()
    })
    const timer = clock.after(waitMs, end)
    this.#closers.push(
      () => wakes.close(),
      () => timer.cancel(),
    )
    signal?.addEventListener('abort', end)
    this.#closers.push(() => signal?.removeEventListener('abort', end))
    this.#lookAgain(clock, FIRST_LOOK_AGAIN_MS)
  }

  /** Resolves with the first wake-up after `seen` of them. */
  async next(seen: number): Promise<void> {
    if (this.wakes !== seen || this.over) return
    await new Promise<void>((resolve) => {
      this.#release = resolve
    })
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close()
  }

  #wake(): void {
    this.wakes++
    this.#release?.()
    this.#release = null
  }

  #lookAgain(clock: Clock, afterMs: number): void {
    const timer = clock.after(afterMs, () => {
      this.#wake()
      if (!this.over) this.#lookAgain(clock, LOOK_AGAIN_MS)
    })
    this.#closers.push(() => timer.cancel())
  }
}
