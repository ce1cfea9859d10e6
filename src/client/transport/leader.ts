import type { Received } from '../received.ts'
import type { Kit } from '../kit.ts'
import type { Follow, Following, HttpTransportPorts } from './http-transport.ts'
import { readOn } from './long-poll.ts'

/** Between the tabs of one browser: what one wants to follow, what its leader has heard, and that there is a new leader. */
type Note =
  | { readonly want: string; readonly position: string }
  | { readonly session: string; readonly frame: Received }
  | { readonly lead: true }

interface Led {
  readonly stop: AbortController
  wantedAt: number
}

interface TabsPorts extends HttpTransportPorts {
  readonly random: () => number
}

const WANT_MS = 20_000
const UNWANTED_MS = 60_000

/** Whether this browser lets tabs work together. */
export function canLead(): boolean {
  return typeof BroadcastChannel === 'function' && globalThis.navigator?.locks !== undefined
}

/**
 * One tab of a browser reads for all: the one that holds the lock keeps one stream a session, and tells the others what it brings. Over HTTP/1.1 a browser opens
 * six connections to a server at most, so that a stream a tab would leave the seventh tab without an answer. [R19]
 */
export class Tabs {
  readonly #name: string
  readonly #follow: Follow
  readonly #ports: TabsPorts
  #members = 0
  #leave: AbortController | null = null

  /** @param name the same for all tabs of one person at one server, and for nobody else's */
  constructor(name: string, follow: Follow, ports: TabsPorts) {
    this.#name = name
    this.#follow = follow
    this.#ports = ports
  }

  /** Follows a session by what its leader tells, wherever the leader is. Ends with `signal`. */
  async listen(
    following: Pick<Following, 'session' | 'signal'>,
    told: { position(): string; frame(frame: Received): void; lead(): void },
  ): Promise<void> {
    const { session, signal } = following
    const { http, clock } = this.#ports
    const channel = new BroadcastChannel(this.#name)
    const want = (): void => post(channel, { want: session, position: told.position() })
    channel.addEventListener('message', ({ data }: MessageEvent<Note>) => {
      if ('frame' in data && data.session === session) {
        // Another tab may have another version of this code.
        const frame = http.kit.readFrame(data.frame)
        if (frame !== null) told.frame(frame)
      }
      if (!('lead' in data)) return
      want()
      told.lead()
    })
    if (this.#members++ === 0) this.#stand()
    let timer = clock.after(0, again)
    function again(): void {
      want()
      timer = clock.after(WANT_MS, again)
    }
    await aborted(signal)
    timer.cancel()
    channel.close()
    if (--this.#members === 0) this.#leave?.abort()
  }

  /** Waits for its turn, and then leads until nobody of this tab listens any more. */
  #stand(): void {
    const leave = new AbortController()
    this.#leave = leave
    const { signal } = leave
    const lead = (): Promise<void> => this.#lead(signal)
    // Rejected where the wait ends before the turn comes.
    navigator.locks.request(this.#name, { signal }, lead).catch(() => {})
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const channel = new BroadcastChannel(this.#name)
    const sessions = new Map<string, Led>()
    const end = (session: string, led: Led): void => {
      led.stop.abort()
      sessions.delete(session)
    }
    channel.addEventListener('message', ({ data }: MessageEvent<Note>) => {
      if (!('want' in data)) return
      const wantedAt = this.#ports.clock.now()
      const led = sessions.get(data.want) ?? { stop: new AbortController(), wantedAt }
      led.wantedAt = wantedAt
      for (const [session, one] of sessions)
        if (wantedAt - one.wantedAt > UNWANTED_MS) end(session, one)
      if (sessions.has(data.want)) return
      sessions.set(data.want, led)
      void this.#read(data.want, data.position, led.stop.signal, channel)
    })
    post(channel, { lead: true })
    await aborted(signal)
    for (const [session, led] of sessions) end(session, led)
    channel.close()
  }

  /** Keeps one stream up, from where the last one stood. What it may not read, those who want it are told by their own requests. */
  async #read(
    session: string,
    from: string,
    signal: AbortSignal,
    channel: BroadcastChannel,
  ): Promise<void> {
    const { http, random } = this.#ports
    let position = from
    for (let attempt = 1; !signal.aborted; attempt++) {
      const stop = new AbortController()
      const abort = (): void => stop.abort()
      signal.addEventListener('abort', abort)
      const frame = (told: Received): void => {
        const error = told.type === 'error'
        // One whose token is over ends like this, which is the leader's concern: the next one is asked for with a new token.
        if (!error || told.code !== 'invalid_token') post(channel, { session, frame: told })
        if (error) return abort()
        attempt = 1
        position = reached(http.kit, position, told)
      }
      const opened = (): void => {}
      const following = {
        ...this.#ports,
        session,
        position,
        catchup: 'events',
        frame,
        opened,
      } as const
      await this.#follow({ ...following, signal: stop.signal }).catch(() => {})
      signal.removeEventListener('abort', abort)
      if (signal.aborted) return
      await this.#pause(http.kit.backoffMs(attempt, random), signal)
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const timer = this.#ports.clock.after(ms, () => stop.abort())
    await Promise.race([aborted(stop.signal), aborted(signal)])
    timer.cancel()
  }
}

/** Follows a session by the leader of the tabs: what was before, and what its streams do not bring, is read by requests. */
export function followByLeader(tabs: Tabs): Follow {
  return async (following) => {
    const { session, signal } = following
    if (following.position !== null) following.opened()
    let position = await readOn(following, following.position, 0)
    // What the leader tells while we read comes after what is read.
    let held: Received[] | null = []
    let wake = (): void => {}
    const take = (frame: Received): void => {
      position = reached(following.http.kit, position, frame)
      following.frame(frame)
    }
    const listening = tabs.listen(
      { session, signal },
      {
        position: () => position,
        frame: (frame) => (held === null ? take(frame) : void held.push(frame)),
        lead: () => {
          held ??= []
          wake()
        },
      },
    )
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      position = await readOn(following, position, 0)
      const frames: readonly Received[] = held ?? []
      held = null
      for (const frame of frames) take(frame)
      await Promise.race([woken, listening])
    }
  }
}

/** Where a frame leads to. */
function reached(
  { formatPosition, parsePosition }: Kit,
  position: string,
  frame: Received,
): string {
  if (frame.type === 'snapshot' && frame.last) return frame.position
  const last = frame.type === 'events' ? frame.events.at(-1) : undefined
  const from = parsePosition(position)
  if (last === undefined || from === null || last.serial <= from.serial) return position
  return formatPosition({ ...last, epoch: from.epoch })
}

function post(channel: BroadcastChannel, note: Note): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows; a channel has one origin
  channel.postMessage(note)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve())
  })
}
