import type { PresenceRequest } from '../../protocol/frames-up.ts'
import type { Clock, Timer } from '../../sdk/clock.ts'
import type { Http, HttpRequest } from '../http.ts'

interface Ports {
  readonly http: Pick<Http, 'json' | 'kit'>
  readonly clock: Clock
}

const TTL_MS = 60_000
const REFRESH_MS = 20_000

/** Presence without a socket: a member that is entered again and again, and expires where that stops. [P-5.5] */
export class Attendance {
  readonly #ports: Ports
  readonly #present = new Map<string, { readonly wish: PresenceRequest; readonly timer: Timer }>()
  /** One request about a session at a time: one that overtakes another would leave behind who has left. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(ports: Ports) {
    this.#ports = ports
  }

  /** @throws ClientError `invalid_request` without a member's name; what the server answers */
  async enter(session: string, wish: PresenceRequest): Promise<void> {
    const { member, ...rest } = wish
    if (member === undefined)
      throw new this.#ports.http.kit.ClientError('invalid_request', 'unable to enter; no member')
    this.#present.get(session)?.timer.cancel()
    const again = (): void => void this.enter(session, wish).catch(() => {})
    this.#present.set(session, { wish, timer: this.#ports.clock.after(REFRESH_MS, again) })
    const body = { ...rest, ttlMs: TTL_MS }
    await this.#ask(session, { method: 'PUT', path: pathOf(session, member), body })
  }

  async leave(session: string): Promise<void> {
    const present = this.#present.get(session)
    if (present?.wish.member === undefined) return
    present.timer.cancel()
    this.#present.delete(session)
    const path = pathOf(session, present.wish.member)
    await this.#ask(session, { method: 'DELETE', path })
  }

  /** Stops refreshing; whoever does not come back expires. */
  close(): void {
    for (const { timer } of this.#present.values()) timer.cancel()
    this.#present.clear()
  }

  #ask(session: string, request: HttpRequest): Promise<unknown> {
    const before = this.#turns.get(session) ?? Promise.resolve()
    const answer = before.then(() => this.#ports.http.json(request))
    const turn = answer.catch(() => {})
    this.#turns.set(session, turn)
    return answer
  }
}

function pathOf(session: string, member: string): string {
  return `/v1/sessions/${encodeURIComponent(session)}/presence/${encodeURIComponent(member)}`
}
