import type { Received } from '../received.ts'
import type { AttachFrame, SignalFrame } from '../../protocol/frames-up.ts'
import type { ClientError } from '../client-error.ts'
import type { Clock } from '../../sdk/clock.ts'
import { invalidAnswer, type Http } from '../http.ts'
import { Attendance } from './attendance.ts'
import type { Secrets } from '../credentials.ts'
import type { ClientFrame, HttpKind, Transport, TransportEvents } from './transport.ts'

/** Reads one session until it is stopped, and tells what comes as frames. */
export type Follow = (following: Following) => Promise<void>

export interface Following extends HttpTransportPorts {
  readonly session: string
  /** From here; `null`: the view first. */
  readonly position: string | null
  readonly catchup: 'auto' | 'events' | undefined
  readonly signal: AbortSignal
  /** The server has taken the attach. */
  opened(): void
  frame(frame: Received): void
}

export interface HttpTransportPorts {
  readonly http: Http
  readonly clock: Clock
}

const ABNORMAL = 1006
const UNAUTHENTICATED = 4401
const OVERLOADED = 1013
/** Signals that are on their way at once: one more would only come late. */
const MAX_SIGNALS = 8

/** Speaks frames over requests: one reading request a session, and one request a frame that asks for something. */
export class HttpTransport implements Transport {
  readonly kind: HttpKind
  readonly #ports: HttpTransportPorts
  readonly #follow: Follow
  readonly #events: TransportEvents
  readonly #following = new Map<string, AbortController>()
  readonly #attendance: Attendance
  #signals = 0
  #closed = false

  constructor(
    kind: HttpKind,
    follow: Follow,
    ports: HttpTransportPorts,
    secrets: Secrets,
    events: TransportEvents,
  ) {
    this.kind = kind
    this.#follow = follow
    this.#ports = ports
    this.#events = events
    this.#attendance = new Attendance(ports)
    queueMicrotask(() => this.#tell(welcome(secrets.token)))
  }

  send(frame: ClientFrame): boolean {
    if (this.#closed) return false
    if (frame.op === 'signal') return this.#signal(frame)
    if (frame.op === 'attach') this.#attach(frame)
    else void this.#answer(frame.ref, this.#ask(frame))
    return true
  }

  close(): void {
    this.#closed = true
    this.#attendance.close()
    for (const stop of this.#following.values()) stop.abort()
    this.#following.clear()
  }

  #attach(frame: AttachFrame): void {
    const { session, position = null, ref, presence, catchup } = frame
    this.#following.get(session)?.abort()
    const stop = new AbortController()
    this.#following.set(session, stop)
    let open = false
    const opened = (): void => {
      open = true
      const mode = position === null ? 'snapshot' : 'resumed'
      const member = presence?.member
      this.#tell({
        type: 'attached',
        ref,
        session,
        mode,
        head: position ?? '',
        ...(member && { member }),
      })
      if (presence !== undefined) this.#attendance.enter(session, presence).catch(() => {})
    }
    const tell = (frame: Received): void => {
      if (stop.signal.aborted) return
      // A stream whose token is over ends with an error, where a socket would end with this code.
      if (frame.type === 'error' && frame.code === 'invalid_token') this.#end(UNAUTHENTICATED)
      else this.#tell(frame)
    }
    const { signal } = stop
    const following = { session, position, catchup, signal, opened, frame: tell }
    this.#follow({ ...this.#ports, ...following }).then(
      () => signal.aborted || this.#end(ABNORMAL),
      (error: unknown) => signal.aborted || this.#lost(open ? null : ref, session, error),
    )
  }

  /** May be lost, as everywhere: nobody waits for how it went. [P-9.8] */
  #signal({ session, name, data }: SignalFrame): boolean {
    if (this.#signals >= MAX_SIGNALS) return false
    this.#signals += 1
    const body = { name, ...(data !== undefined && { data }) }
    this.#post(session, 'signals', body)
      .catch(() => {})
      .finally(() => (this.#signals -= 1))
    return true
  }

  /**
   * A refusal of the session is an answer; anything else ends the transport, as it would a socket. What a proxy says in the server's place is none, whatever
   * its status: while a server is started anew, some know nothing of it.
   */
  #lost(ref: string | null, session: string, error: unknown): void {
    const known = error instanceof this.#ports.http.kit.ClientError ? error : null
    const status = Number(known?.facts['status'] ?? 0)
    if (known === null || status === 0) return this.#end(ABNORMAL)
    if (status === 401) return this.#end(UNAUTHENTICATED)
    if (status === 429 || status === 503) return this.#end(OVERLOADED, known.retryAfterMs)
    if (status >= 500 || known.code === `http_${status}`) return this.#end(ABNORMAL)
    this.#following.delete(session)
    this.#tell(errorFrame(ref, known, session))
  }

  async #answer(ref: string, asked: Promise<object>): Promise<void> {
    const { ClientError, readFrame } = this.#ports.http.kit
    try {
      const answer = readFrame({ ...(await asked), ref })
      if (answer === null)
        throw invalidAnswer(this.#ports.http.kit, 'the answer is not of this protocol')
      this.#tell(answer)
    } catch (error) {
      const known =
        error instanceof ClientError ? error : new ClientError('internal', String(error))
      this.#tell(errorFrame(ref, known))
    }
  }

  async #ask(frame: Exclude<ClientFrame, { op: 'attach' | 'signal' }>): Promise<object> {
    switch (frame.op) {
      case 'publish':
        return {
          ...(await this.#post(frame.session, 'events', frame.events)),
          type: 'ack',
          session: frame.session,
        }
      case 'presence':
        await this.#attendance.enter(frame.session, frame.presence)
        return { type: 'ok' }
      case 'detach':
        this.#following.get(frame.session)?.abort()
        this.#following.delete(frame.session)
        await this.#attendance.leave(frame.session)
        return { type: 'detached', session: frame.session }
      case 'read':
        await this.#post(frame.session, 'read', { serial: frame.serial })
        return { type: 'ok' }
      case 'auth':
      case 'ping':
        // Every request carries the token of its moment, and is its own sign of life.
        return { type: frame.op === 'auth' ? 'ok' : 'pong' }
    }
  }

  #post(session: string, what: 'events' | 'signals' | 'read', body: unknown) {
    const path = `/v1/sessions/${encodeURIComponent(session)}/${what}`
    return this.#ports.http.json({ method: 'POST', path, body })
  }

  #tell(frame: Received): void {
    if (!this.#closed) this.#events.frame(frame)
  }

  #end(code: number, retryAfterMs?: number): void {
    if (this.#closed) return
    this.close()
    this.#events.closed(code, retryAfterMs)
  }
}

/** What a socket's `welcome` says, as far as it can be known without one. */
function welcome(token: string | null): Received {
  const unlimited = Number.MAX_SAFE_INTEGER
  return {
    type: 'welcome',
    connection: 'http',
    subject: subjectOf(token),
    expiresAt: null,
    heartbeatMs: 15_000,
    limits: {
      maxFrameBytes: unlimited,
      maxEventBytes: unlimited,
      maxSessions: unlimited,
      framesPerSecond: unlimited,
    },
  }
}

/** The `sub` of a JWT; empty where it is none. Nothing is proved by it, and nothing is decided but whose outbox it is. */
export function subjectOf(token: string | null): string {
  try {
    const payload = (token?.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const { sub } = JSON.parse(atob(payload)) as { readonly sub?: unknown }
    return typeof sub === 'string' ? sub : ''
  } catch {
    return ''
  }
}

function errorFrame(ref: string | null, error: ClientError, session?: string): Received {
  const { code, message, retryable, retryAfterMs, facts } = error
  return {
    type: 'error',
    ref,
    code,
    message,
    retryable,
    facts,
    ...(session !== undefined && { session }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  }
}
