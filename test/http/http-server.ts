import { ApiKeys } from '../../src/auth/api-keys.ts'
import { CredentialAuthenticator } from '../../src/auth/authenticator.ts'
import { TokenMint } from '../../src/auth/mint.ts'
import { originRule } from '../../src/auth/origins.ts'
import { Tickets } from '../../src/auth/tickets.ts'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import { AiSdkChat } from '../../src/compat/ai-sdk/chat.ts'
import type { Grant } from '../../src/core/access.ts'
import { Attached } from '../../src/core/attached.ts'
import { Deliveries } from '../../src/core/deliveries.ts'
import { Control } from '../../src/core/control.ts'
import { Effects } from '../../src/core/effects.ts'
import { Hub } from '../../src/core/hub.ts'
import { Inputs } from '../../src/core/inputs.ts'
import { Keeper } from '../../src/core/keeper.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import type { Log, LogFields } from '../../src/core/log.ts'
import { Notices } from '../../src/core/notices.ts'
import { Presence } from '../../src/core/presence.ts'
import { Secret } from '../../src/core/secret.ts'
import { Questions } from '../../src/core/questions.ts'
import { Runs } from '../../src/core/runs.ts'
import { Sessions } from '../../src/core/sessions.ts'
import { SharedState } from '../../src/core/state.ts'
import type { Store } from '../../src/core/store.ts'
import { Views } from '../../src/core/views.ts'
import type { WebhookEvents } from '../../src/core/webhook.ts'
import { AnswerSchemas } from '../../src/http/answer-schemas.ts'
import { auditLog } from '../../src/observe/audit-log.ts'
import { createHttp } from '../../src/http/app.ts'
import type { HttpLimits } from '../../src/http/limits.ts'
import type { HttpPorts } from '../../src/http/ports.ts'
import { CAPABILITIES, type Capability } from '../../src/protocol/capabilities.ts'
import { parseSessionId, type SessionId } from '../../src/protocol/ids.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { sha256, SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { Described } from './described.ts'

export const KEY = 'agent:the-secret-of-the-key'
export const ORIGIN = 'https://app.example.com'
const TOKEN_SECRET = new Secret('the-secret-of-tokens-has-32-bytes!!')

export interface HttpServerOptions {
  readonly limits?: Partial<Limits>
  readonly httpLimits?: Partial<HttpLimits>
  /** What is to be different about the ports. */
  readonly ports?: Partial<HttpPorts>
  /** For so long a lost run may be taken over, before its answer has failed for clients of the AI SDK. */
  readonly aiSdkLostMs?: number
  /** In the place of the memory store, around it. */
  readonly around?: (store: Store) => Store
  /** What the webhook is told of; nothing is sent. */
  readonly webhookEvents?: WebhookEvents
}

export interface Logged {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: string
  readonly fields: LogFields | undefined
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The text as JSON; its fields are what a test asks about. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test names the fields that it expects
  readonly json: any
}

export interface Ask {
  readonly body?: unknown
  /** As it is, in the place of `body`. */
  readonly raw?: BodyInit
  readonly headers?: Readonly<Record<string, string>>
  /** `null`: none. */
  readonly credential?: string | null
  readonly signal?: AbortSignal
}

export type HttpServer = Awaited<ReturnType<typeof startHttp>>

/** The HTTP face over a real port and a store in memory. */
export async function startHttp(options: HttpServerOptions = {}) {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const signals = new LocalSignals()
  const memory = new MemoryStore(signals, () => clock.now())
  const store = options.around?.(memory) ?? memory
  const logged: Logged[] = []
  const log: Log = {
    info: (event, fields) => logged.push({ level: 'info', event, fields }),
    warn: (event, fields) => logged.push({ level: 'warn', event, fields }),
    error: (event, fields) => logged.push({ level: 'error', event, fields }),
  }
  const { webhookEvents = new Set() } = options
  const audit = auditLog(log)
  const ports = { clock, random, limits, signals, store, log, audit, webhookEvents }
  const views = new Views(store, limits)
  const hub = new Hub(ports)
  const keeper = new Keeper({ ...ports, views })
  const presence = new Presence(ports)
  const deliveries = new Deliveries({ ...ports, views })
  const notices = new Notices(ports)
  const sessions = new Sessions({ ...ports, keeper, deliveries })
  const runs = new Runs({ ...ports, views, keeper })
  const inputs = new Inputs({ ...ports, views, keeper })
  const questions = new Questions({ ...ports, keeper, schemas: new AnswerSchemas() })
  const state = new SharedState({ ...ports, keeper })
  const control = new Control({ ...ports, keeper })
  const effects = new Effects({ ...ports, views, keeper, hash: sha256 })
  const tickets = new Tickets(store, random, () => clock.now())
  const mint = new TokenMint(TOKEN_SECRET, null, clock)
  const defaultSettings = {
    ttlMs: null,
    retention: { maxAgeMs: null, maxEvents: null, maxBytes: null },
  }
  const faced = { ...ports, hub, views, inputs, runs, questions, sessions, defaultSettings }
  let draining = false
  const app = createHttp({
    ...ports,
    sessions,
    runs,
    inputs,
    questions,
    state,
    effects,
    control,
    views,
    presence,
    attached: new Attached({ ...ports, views }),
    deliveries,
    notices,
    attachments: { ...ports, hub, views },
    authenticator: credentials(tickets, clock),
    tokens: mint,
    tickets,
    health: () => store.check(),
    allowsOrigin: originRule([ORIGIN], true),
    defaultSettings,
    aiSdk: new AiSdkChat({
      ...faced,
      onAbort: 'detach',
      ...(options.aiSdkLostMs !== undefined && { lostMs: options.aiSdkLostMs }),
    }),
    durability: store.durability,
    draining: () => draining,
    ...(options.httpLimits && { httpLimits: options.httpLimits }),
    ...options.ports,
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const url = `http://127.0.0.1:${address.port}`

  async function fetchIt(method: string, path: string, ask: Ask = {}): Promise<Response> {
    const { body, raw, headers, credential = KEY, signal } = ask
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    return fetch(url + path, {
      method,
      headers: {
        ...(credential !== null && { authorization: `Bearer ${credential}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(content !== undefined && { body: content }),
      ...(raw instanceof ReadableStream && { duplex: 'half' }),
      ...(signal && { signal }),
    })
  }

  const described = new Described(await (await fetch(`${url}/openapi.json`)).json())
  return {
    url,
    port: address.port,
    app,
    logged,
    store,
    memory,
    sessions,
    runs,
    inputs,
    questions,
    presence,
    hub,
    tickets,
    /** Whether anybody listens to the session. */
    watched: (session: string): boolean => signals.hears(idOf(session)),
    /** What was logged as our own mistake. */
    errors: () => logged.filter(({ level }) => level === 'error'),
    drain: () => {
      draining = true
    },
    fetch: fetchIt,
    async ask(method: string, path: string, asked: Ask = {}): Promise<Answered> {
      const response = await fetchIt(method, path, asked)
      const text = await response.text()
      const type = response.headers.get('content-type') ?? ''
      const json: unknown =
        text !== '' && /json\b/.test(type) && !/ndjson/.test(type) ? JSON.parse(text) : undefined
      const { status } = response
      const wrong = described.wrong({ method, path, status, type: type.split(';')[0] ?? '', json })
      if (wrong !== null) throw new Error(`the answer is not as /openapi.json has it: ${wrong}`)
      return { status, headers: response.headers, text, json }
    },
    /** A token with some rights. */
    async token(change: Partial<TokenWish> = {}): Promise<string> {
      const wish = { subject: 'anna', sessions: ['s*'], capabilities: [...CAPABILITIES], ...change }
      return (await mint.mint(ROOT, { ttlMs: 60_000, ...wish })).token
    },
    close: async () => {
      app.server.closeAllConnections()
      await app.close()
      presence.close()
      keeper.close()
      hub.close()
      await store.close()
    },
  }
}

export function idOf(text: string): SessionId {
  const session = parseSessionId(text)
  if (session === null) throw new Error(`not a session id: ${text}`)
  return session
}

interface TokenWish {
  readonly subject: string
  readonly sessions: string[]
  readonly capabilities: Capability[]
  readonly ttlMs: number
  readonly kind: 'human' | 'agent' | 'supervisor'
}

const ROOT: Grant = {
  subject: 'key:root',
  kind: 'any',
  sessions: ['*'],
  capabilities: new Set(CAPABILITIES),
  expiresAt: null,
}

function credentials(tickets: Tickets, clock: SystemClock): CredentialAuthenticator {
  const [id = '', secret = ''] = KEY.split(':')
  return new CredentialAuthenticator({
    keys: new ApiKeys([{ id, secret: new Secret(secret) }]),
    tokens: new TokenVerifier({ secret: TOKEN_SECRET, keySet: null, issuer: null, clock }),
    tickets,
  })
}
