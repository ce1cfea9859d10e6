import type { PresenceRequest } from '../../protocol/frames-up.ts'
import { ClientError } from '../client-error.ts'
import type { Clock, Timer } from '../clock.ts'
import type { Http } from '../http.ts'

interface Ports {
  readonly http: Http
  readonly clock: Clock
}

const TTL_MS = 60_000
const REFRESH_MS = 20_000

/** Presence without a socket: a member that is entered again and again, and expires where that stops. [P-5.5] */
export class Attendance {
  readonly #ports: Ports
  readonly #present = new Map<string, { readonly wish: PresenceRequest; readonly timer: Timer }>()

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** @throws ClientError `invalid_request` without a member's name; what the server answers */
  async enter(session: string, wish: PresenceRequest): Promise<void> {
    const { member, ...rest } = wish
    if (member === undefined) throw new ClientError('invalid_request', 'unable to enter; no member')
    this.#present.get(session)?.timer.cancel()
    const again = (): void => void this.enter(session, wish).catch(() => {})
    this.#present.set(session, { wish, timer: this.#ports.clock.after(REFRESH_MS, again) })
    const body = { ...rest, ttlMs: TTL_MS }
    await this.#ports.http.json({ method: 'PUT', path: pathOf(session, member), body })
  }

  async leave(session: string): Promise<void> {
    const present = this.#present.get(session)
    if (present?.wish.member === undefined) return
    present.timer.cancel()
    this.#present.delete(session)
    await this.#ports.http.json({ method: 'DELETE', path: pathOf(session, present.wish.member) })
  }

  /** Stops refreshing; whoever does not come back expires. */
  close(): void {
    for (const { timer } of this.#present.values()) timer.cancel()
    this.#present.clear()
  }
}

function pathOf(session: string, member: string): string {
  return `/v1/sessions/${encodeURIComponent(session)}/presence/${encodeURIComponent(member)}`
}
