import type { Attempts, Authenticator, Grant, Revocations } from '../core/access.ts'
import type { Audit } from '../core/audit.ts'
import type { Attached } from '../core/attached.ts'
import type { AttachmentPorts } from '../core/attachment.ts'
import type { Clock } from '../core/clock.ts'
import type { Deliveries } from '../core/deliveries.ts'
import type { Notices } from '../core/notices.ts'
import type { Inputs } from '../core/inputs.ts'
import type { Control } from '../core/control.ts'
import type { Effects } from '../core/effects.ts'
import type { Limits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Presence } from '../core/presence.ts'
import type { Questions } from '../core/questions.ts'
import type { Random } from '../core/random.ts'
import type { Runs } from '../core/runs.ts'
import type { Signals } from '../core/signals.ts'
import type { Sessions } from '../core/sessions.ts'
import type { SharedState } from '../core/state.ts'
import type { Durability, StoreHealth } from '../core/store.ts'
import type { SessionSettings } from '../core/transitions/session.ts'
import type { Views } from '../core/views.ts'
import type { TokenBody } from '../protocol/http.ts'
import type { ChatRequest } from '../protocol/http-ai-sdk.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { ChunkSource, ChunkStream } from './chunk-stream.ts'
import type { HttpLimits } from './limits.ts'

/** What the HTTP control plane needs of the rest of the server. */
export interface HttpPorts {
  readonly sessions: Pick<
    Sessions,
    | 'open'
    | 'info'
    | 'head'
    | 'list'
    | 'patch'
    | 'close'
    | 'remove'
    | 'append'
    | 'events'
    | 'markRead'
  >
  readonly runs: Pick<
    Runs,
    | 'start'
    | 'adopt'
    | 'append'
    | 'heartbeat'
    | 'report'
    | 'suspend'
    | 'resume'
    | 'finish'
    | 'cancel'
    | 'get'
    | 'list'
  >
  readonly inputs: Pick<Inputs, 'receive' | 'waiting' | 'deliver' | 'cancel' | 'settled'>
  readonly questions: Pick<Questions, 'ask' | 'answer' | 'withdraw' | 'wait'>
  readonly signals: Pick<Signals, 'send'>
  readonly views: Pick<Views, 'at'>
  readonly control: Pick<Control, 'take' | 'release'>
  readonly effects: Pick<Effects, 'reserve' | 'record' | 'decide' | 'get' | 'open'>
  readonly state: Pick<SharedState, 'get' | 'all' | 'set' | 'patch' | 'remove'>
  readonly attached: Pick<Attached, 'once'>
  readonly presence: Pick<Presence, 'enter' | 'leave'>
  readonly deliveries: Pick<Deliveries, 'list' | 'replay'>
  readonly notices: Pick<Notices, 'list' | 'replay'>
  /** What an SSE reader is made of. */
  readonly attachments: AttachmentPorts
  readonly authenticator: Pick<Authenticator, 'authenticate'>
  /** Slows down who guesses; without it, nobody is slowed down. */
  readonly attempts?: Attempts
  readonly tokens: TokenMint
  readonly tickets: TicketIssuer
  /** Without it, no token can be taken back. */
  readonly revocations?: Revocations & TokenRevoker
  /** Whether the store can be reached. May take as long as it likes; the probe does not wait for ever. */
  readonly health: () => Promise<StoreHealth>
  readonly clock: Clock
  readonly random: Pick<Random, 'id' | 'fraction'>
  readonly limits: Limits
  /** Others than the defaults. */
  readonly httpLimits?: Partial<HttpLimits>
  readonly log: Log
  /** Without it, nothing is written down of who did what. */
  readonly audit?: Audit
  /** Without it, nothing is counted. */
  readonly metrics?: Metrics
  /** Whether a browser of this origin may read answers. */
  readonly allowsOrigin: (origin: string) => boolean
  /** The proxies whose word about a client's address is believed, as networks. */
  readonly trustProxy?: readonly string[]
  readonly mounts?: readonly Mount[]
  readonly aiSdk: AiSdkFace
  /** What a session gets that names no settings. */
  readonly defaultSettings: SessionSettings
  readonly durability: Durability
  /** Whether this node is going down. */
  readonly draining: () => boolean
}

export interface TokenMint {
  /**
   * Signs. A token grants what is asked for as far as the minter has it.
   * @throws HeldlineError `forbidden` where nothing is left of it, `not_found` where this server signs no tokens
   */
  mint(
    minter: Grant,
    request: TokenBody,
  ): Promise<{
    readonly jti: string
    readonly sessions: readonly string[]
    readonly capabilities: readonly string[]
    readonly expiresAt: number
  }>
}

export interface TokenRevoker {
  /**
   * Takes back one token, or all of a subject that were issued so far.
   * @param by the subject that asks
   * @throws HeldlineError `rate_limited` where too many are kept, what the store throws
   */
  revoke(
    by: string,
    what: { readonly jti: string } | { readonly subject: string },
  ): Promise<{ readonly issuedUntil?: number; readonly keptUntil: number }>
}

export interface TicketIssuer {
  /**
   * A ticket for a connection with the same rights: single use, at most 60 s.
   * @param request.origin the only origin that may use it; `null`: any
   */
  issue(
    grant: Grant,
    request: { readonly origin: string | null },
  ): Promise<{ readonly ticket: string; readonly expiresAt: number }>
}

/** What is to be answered: a run, or the input that will have one. */
export type ChatTarget = { readonly run: string } | { readonly input: string }

/** Sessions as the AI SDK's stock transports see them. [P-18] */
export interface AiSdkFace {
  /** @throws HeldlineError `forbidden`, `session_not_found`, `invalid_request`, `message_not_found`, what receiving an input throws */
  send(grant: Grant, session: SessionId, request: ChatRequest): Promise<ChatTarget>
  /**
   * @param last where nothing is being answered: the latest answer, over as it is
   * @returns `null`: nothing is being answered
   * @throws HeldlineError `forbidden`
   */
  active(grant: Grant, session: SessionId, last: boolean): Promise<ChatTarget | null>
  /** @param version of the AI SDK that reads the chunks: 6 is told those alone that it knows */
  response(session: SessionId, target: ChatTarget, stream: ChunkStream, version: 6 | 7): ChunkSource
  /** @throws HeldlineError `session_not_found` */
  stop(grant: Grant, session: SessionId): Promise<object>
  /** @throws HeldlineError `session_not_found` */
  messages(session: SessionId, limit: number, maxBytes: number): Promise<object>
}

/** A route that this face carries for somebody else. Open to everybody: it brings its own rights. */
export interface Mount {
  readonly method: 'GET' | 'POST'
  /** Exact, or a prefix that ends in `*`. */
  readonly path: string
  /** @param request.path without its query, decoded once; `body`: text of at most 16 KiB, empty where there is none */
  handle(request: { readonly path: string; readonly body: string }): Promise<{
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | Uint8Array
  }>
}
