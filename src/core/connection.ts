import type { Capability } from '../protocol/capabilities.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { errorRow, HeldlineError } from '../protocol/errors.ts'
import type { MemberId, SessionId } from '../protocol/ids.ts'
import { formatPosition, type Position } from '../protocol/position.ts'
import {
  demand,
  tokenRevoked,
  type Attempts,
  type Authenticator,
  type Grant,
  type Revocations,
} from './access.ts'
import type { Attachment, AttachmentPorts, Out } from './attachment.ts'
import type { Clock, Timer } from './clock.ts'
import { BeatenRuns } from './beaten-runs.ts'
import { handleFrame, leaveQuietly } from './connection-ops.ts'
import { errorFrame, expected } from './error-frame.ts'
import { frame, type Frame } from './frame.ts'
import type { Limits } from './limits.ts'
import { Outbox, type Transport } from './outbox.ts'
import type { Presence } from './presence.ts'
import type { Runs } from './runs.ts'
import { PublishQueue } from './publish-queue.ts'
import { Rate } from './rate.ts'
import type { Sessions } from './sessions.ts'
import type { Signals } from './signals.ts'
import { noteTrouble } from './store-trouble.ts'
import { TokenEnd } from './token-end.ts'
import { parseUpFrame } from './up-frame.ts'

export interface ConnectionPorts extends AttachmentPorts {
  readonly sessions: Sessions
  readonly presence: Presence
  readonly runs: Pick<Runs, 'heartbeat' | 'socketLost'>
  readonly signals: Signals
  readonly authenticator: Authenticator
  /** Without it, nobody who guesses is slowed down. */
  readonly attempts?: Attempts
  /** Without it, every token is good until its end. */
  readonly revocations?: Revocations
  readonly clock: Clock
  readonly limits: Limits
}

/** What one socket holds of one session. */
export interface Hold {
  readonly attachment: Attachment
  readonly publishes: PublishQueue
}

const MAX_MISTAKES = 20
const MISTAKES_WITHIN_MS = 60_000
const FIRST_FRAME_WITHIN_MS = 5000
/** Frames of one socket that may be waiting for their answers. */
const MAX_UNANSWERED = 256

/** One socket's life, free of sockets: frames in, frames out, a close. It never throws, whatever comes in. [P-4] */
export class Connection implements Out {
  readonly id: string
  readonly ports: ConnectionPorts
  readonly holds = new Map<SessionId, Hold>()
  /** The member that this socket is, by session. */
  readonly members = new Map<SessionId, MemberId>()
  /** The runs that it beats for. */
  readonly beaten: BeatenRuns
  /** The order of publishes to sessions that this socket is not attached to. */
  readonly unattached = new PublishQueue()
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #rate: Rate
  readonly #tokenEnd: TokenEnd
  #grant: Grant | null = null
  #patience: Timer | null = null
  #mistakes: number[] = []
  #unanswered = 0
  #closed = false
  #attached = false
  /** It was told to go: however it goes, that says nothing of who was there. */
  #leaving = false

  /** @param grant from the handshake; `null`: the first frame must bring it */
  constructor(id: string, ports: ConnectionPorts, transport: Transport, grant: Grant | null) {
    this.id = id
    this.ports = ports
    this.#transport = transport
    this.beaten = new BeatenRuns(ports, id)
    const now = ports.clock.now()
    this.#outbox = new Outbox(transport, ports.limits, now, ports.metrics)
    this.#rate = new Rate(ports.limits.framesPerSecond, ports.limits.framesBurst, now)
    this.#tokenEnd = new TokenEnd(ports.clock, {
      expiring: (expiresAt) => this.send(frame({ type: 'expiring', expiresAt })),
      over: () => this.close(4401, 'the token is over'),
    })
    if (grant !== null) this.admit(grant, null)
    else {
      this.#patience = ports.clock.after(FIRST_FRAME_WITHIN_MS, () => {
        this.close(4408, 'no credentials in time')
      })
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** @throws HeldlineError `unauthenticated`, or `invalid_token` when it is over or revoked */
  get grant(): Grant {
    if (this.#grant === null) {
      throw new HeldlineError('unauthenticated', 'unable to go on; send auth first')
    }
    const { expiresAt } = this.#grant
    if (expiresAt !== null && expiresAt <= this.ports.clock.now()) {
      throw new HeldlineError('invalid_token', 'unable to go on; the token is over')
    }
    if (this.#revoked) throw tokenRevoked()
    return this.#grant
  }

  get #revoked(): boolean {
    return this.#grant !== null && this.ports.revocations?.has(this.#grant) === true
  }

  /** Who this is, even after the token is over. */
  get subject(): string {
    return this.#grant?.subject ?? 'nobody'
  }

  /** @throws HeldlineError `invalid_token`, `unauthenticated`, `rate_limited` */
  authenticate(credential: string): Promise<Grant> {
    const { attempts, authenticator } = this.ports
    const { address } = this.#transport
    if (attempts === undefined || address === undefined)
      return authenticator.authenticate(credential)
    return attempts.attempt(address, () => authenticator.authenticate(credential))
  }

  /** Takes credentials: the first, or new ones of the same subject. [P-6.4] */
  admit(grant: Grant, ref: string | null): void {
    const first = this.#grant === null
    // It may have been taken back while it was looked at; of a handshake's, the gateway looks again.
    if (ref !== null && this.ports.revocations?.has(grant) === true) throw tokenRevoked()
    if (this.#grant !== null && this.#grant.subject !== grant.subject) {
      throw new HeldlineError('invalid_token', 'unable to refresh; the token is of another subject')
    }
    this.#grant = grant
    this.#patience?.cancel()
    this.#tokenEnd.watch(grant.expiresAt)
    const { heartbeatMs, maxFrameBytes, maxEventBytes, maxSessionsPerSocket, framesPerSecond } =
      this.ports.limits
    this.send(
      frame({
        type: 'welcome',
        ...(ref !== null && { ref }),
        connection: this.id,
        subject: grant.subject,
        expiresAt: grant.expiresAt,
        heartbeatMs,
        limits: {
          maxFrameBytes,
          maxEventBytes,
          maxSessions: maxSessionsPerSocket,
          framesPerSecond,
        },
      }),
    )
    if (!first) return this.#dropForbidden()
    this.#transport.proven?.()
    this.heartbeat()
  }

  /** A text frame came in. */
  receive(text: string): void {
    if (this.#closed) return
    const waitMs = this.#rate.take(this.ports.clock.now())
    if (waitMs > 0) return this.#tooFast(text, waitMs)
    if (this.#unanswered >= MAX_UNANSWERED) return this.#tooFast(text, 100)
    // Who is refused for a token that is over is to know that it needs another.
    this.#tokenEnd.look()
    this.#unanswered++
    void this.#answer(text).finally(() => this.#unanswered--)
  }

  ready(): boolean {
    return this.#outbox.ready()
  }

  send(content: Frame): void {
    if (!this.#closed) this.#outbox.send(content)
  }

  /** It is asked for a session from a position: the first tells whether its client was here before. */
  attaching(position: Position | null): void {
    const back = !this.#attached && position !== null && position.serial > 0
    this.#attached = true
    if (back) this.ports.metrics?.reconnected('websocket')
  }

  /** Where the session is gone, so is its member, lest it come into another session of that name. */
  ended(attachment: Attachment, error: unknown): void {
    const { session } = attachment
    if (this.holds.get(session)?.attachment !== attachment) return
    this.holds.delete(session)
    const member = this.members.get(session)
    if (member === undefined || expected(error).code !== 'session_not_found') return
    this.members.delete(session)
    leaveQuietly(this, session, member)
  }

  /** The transport has room again. */
  pump(): void {
    for (const { attachment } of this.holds.values()) attachment.pump()
  }

  heartbeat(): void {
    if (this.#closed || this.#grant === null) return
    const heads: Record<string, string> = {}
    for (const [session, { attachment }] of this.holds) {
      if (attachment.head !== null) heads[session] = formatPosition(attachment.head)
    }
    this.send(frame({ type: 'heartbeat', at: this.ports.clock.now(), heads }))
  }

  /** To be called every few seconds: finds a client that takes nothing, and a token that is over since the clock was set. */
  check(): void {
    this.#outbox.check(this.ports.clock.now())
    this.#tokenEnd.look()
  }

  /** Ends it where its token was taken back. [P-6.8] */
  endIfRevoked(): void {
    if (this.#revoked) this.close(CLOSE.unauthenticated, 'the token was revoked')
  }

  goaway(reason: string, afterMs: number): void {
    this.#leaving = true
    this.send(frame({ type: 'goaway', reason, afterMs: Math.round(afterMs) }))
  }

  /** Ends it from our side. Idempotent. */
  close(code: number, reason: string): void {
    if (this.#closed) return
    this.lost(code === CLOSE.timeout)
    this.#transport.close(code, reason)
  }

  /** The socket is gone. Idempotent. @param broken without a word from the client, which may be gone, too */
  lost(broken: boolean): void {
    if (this.#closed) return
    this.#closed = true
    if (broken && !this.#leaving) this.beaten.lost()
    this.#outbox.close()
    this.#patience?.cancel()
    this.#tokenEnd.stop()
    for (const { attachment } of this.holds.values()) attachment.close()
    this.holds.clear()
    for (const [session, member] of this.members)
      void this.ports.presence.lost(session, member, this.id)
    this.members.clear()
  }

  async #answer(text: string): Promise<void> {
    let ref: string | null = null
    try {
      const parsed = parseUpFrame(text, this.ports.limits.maxFrameBytes)
      ref = parsed.ref
      if ('error' in parsed) throw parsed.error
      await handleFrame(this, parsed.frame, parsed.texts)
    } catch (error) {
      this.#refuse(error, ref)
    }
  }

  /** A mistake is answered and forgiven, a number of times. Before credentials, none is. [P-8.2] */
  #refuse(error: unknown, ref: string | null): void {
    if (this.#closed) return
    const known = expected(error)
    const row = errorRow(known.code)
    this.send(errorFrame(known, ref))
    this.ports.metrics?.refused('websocket', known.code)
    if (known.code === 'internal')
      this.ports.log.error('connection.failed', { connection: this.id, error })
    noteTrouble(this.ports.log, known)
    // What is no fault of the client's must not look like one: it comes again.
    if (this.#grant === null)
      return this.close(row.close ?? (row.status >= 500 ? 1011 : 4401), known.code)
    if (row.status >= 500) return
    const now = this.ports.clock.now()
    this.#mistakes = [...this.#mistakes.filter((at) => at > now - MISTAKES_WITHIN_MS), now]
    if (this.#mistakes.length >= MAX_MISTAKES) this.close(4429, 'too many mistakes')
  }

  #tooFast(text: string, retryAfterMs: number): void {
    if (this.#rate.abused) return this.close(4429, 'too fast')
    const error = new HeldlineError('rate_limited', 'unable to take the frame; too many at once', {
      retryAfterMs,
    })
    this.ports.metrics?.refused('websocket', error.code)
    this.send(errorFrame(error, parseUpFrame(text, this.ports.limits.maxFrameBytes).ref))
  }

  /** New credentials may allow less: what they do not allow ends. */
  #dropForbidden(): void {
    for (const [session, { attachment }] of this.holds) {
      const refused = this.#refusal('subscribe', session)
      if (refused === null) continue
      attachment.close()
      this.holds.delete(session)
      this.send(errorFrame(refused, null, session))
    }
    for (const [session, member] of this.members) {
      if (this.holds.has(session) && this.#refusal('presence', session) === null) continue
      this.members.delete(session)
      leaveQuietly(this, session, member)
    }
  }

  #refusal(capability: Capability, session: SessionId): unknown {
    try {
      demand(this.grant, capability, session)
      return null
    } catch (error) {
      return error
    }
  }
}
