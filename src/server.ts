import { hostname } from 'node:os'
import { ApiKeys } from './auth/api-keys.ts'
import { AuditedAttempts } from './auth/audited-attempts.ts'
import { CredentialAuthenticator } from './auth/authenticator.ts'
import { BruteForce } from './auth/brute-force.ts'
import { KeySet } from './auth/key-set.ts'
import { TokenMint } from './auth/mint.ts'
import { originRule } from './auth/origins.ts'
import { TokenRevocations } from './auth/revocations.ts'
import { expireTicket, Tickets } from './auth/tickets.ts'
import { TokenVerifier } from './auth/tokens.ts'
import { AiSdkChat } from './compat/ai-sdk/chat.ts'
import { aiSdkDoor } from './compat/ai-sdk/socket.ts'
import { Attached } from './core/attached.ts'
import type { Audit } from './core/audit.ts'
import type { ConnectionPorts } from './core/connection.ts'
import { Courier } from './core/courier.ts'
import { Deliveries } from './core/deliveries.ts'
import { Control } from './core/control.ts'
import { Effects } from './core/effects.ts'
import { Hub } from './core/hub.ts'
import { Inputs } from './core/inputs.ts'
import { Keeper } from './core/keeper.ts'
import type { Limits } from './core/limits.ts'
import type { Log } from './core/log.ts'
import type { Metrics } from './core/metrics.ts'
import { Notices } from './core/notices.ts'
import { OutgoingDeliveries } from './core/outgoing-deliveries.ts'
import { OutgoingNotices } from './core/outgoing-notices.ts'
import { Presence } from './core/presence.ts'
import { Questions } from './core/questions.ts'
import { Runs } from './core/runs.ts'
import { Sessions } from './core/sessions.ts'
import { SharedState } from './core/state.ts'
import type { DueDeadline, Store } from './core/store.ts'
import { Sweeper } from './core/sweeper.ts'
import { Views } from './core/views.ts'
import type { WebhookEvents, WebhookSender } from './core/webhook.ts'
import { createDemo, type Demo } from './demo/demo.ts'
import { clientAddress } from './gateway/client-address.ts'
import { Gateway } from './gateway/gateway.ts'
import { AnswerSchemas } from './http/answer-schemas.ts'
import { createHttp } from './http/app.ts'
import { limitsOf, settingsOf } from './config-limits.ts'
import { shownConfig } from './config-shown.ts'
import type { LoadedConfig } from './load-config.ts'
import { auditLog } from './observe/audit-log.ts'
import type { MetricsListener } from './observe/metrics/listener.ts'
import type { Observed } from './observe/metrics/open.ts'
import { openStore, type OpenedStore } from './store/open.ts'
import { sha256, SystemClock, SystemRandom } from './system-ports.ts'
import { HttpWebhookSender } from './webhooks/sender.ts'

export interface HeldlineServer {
  readonly url: string
  /** Where its metrics are, `null` where they are not asked for. */
  readonly metricsUrl: string | null
  /** Resolves when the server has lost its store for good: whoever runs it closes it, and starts it again. */
  readonly failed: Promise<void>
  /** Moves clients to other nodes, lets what is under way end, and closes. Idempotent. */
  drain(): Promise<void>
  /** Closes at once: sockets first, the store last. Idempotent. */
  close(): Promise<void>
}

/**
 * Connections that the kernel may hold until they are accepted, as far as `net.core.somaxconn` lets it. With Node's 511, most of ten thousand clients that come back at
 * once are not heard, and ask again a second later, then two, then four.
 */
const BACKLOG = 65_535

/** For so long a node in production answers on after it has said that it is not ready. */
const NOTICE_MS = 5000

/**
 * Puts the server together: the one place that knows concrete classes. Started in the order of need, closed in the reverse.
 * @param auditLines where the audit record is written; `null`: nowhere
 * @throws Error with a sentence for the operator where it cannot start
 */
export async function startServer(
  config: LoadedConfig,
  lines: Log,
  auditLines: Log | null = lines,
): Promise<HeldlineServer> {
  const observed = await observe(config)
  const log = observed?.log(lines) ?? lines
  const clock = new SystemClock()
  const random = new SystemRandom()
  const nodeId = `${hostname().slice(0, 40)}-${random.id().slice(0, 8)}`
  const opened = await openStore(config, { now: () => clock.now(), nodeId, log })
  const webhookEvents: WebhookEvents = config.webhookUrl === null ? new Set() : config.webhookEvents
  const { signals } = opened
  const store = observed?.store(opened.store) ?? opened.store
  const metered = observed !== null && { metrics: observed.metrics }
  const limits = limitsOf(config)
  const audited = auditLines !== null && {
    audit: auditLog(observed?.log(auditLines) ?? auditLines),
  }
  const ports = {
    clock,
    random,
    log,
    limits,
    webhookEvents,
    signals,
    store,
    ...metered,
    ...audited,
  }
  const core = assembleCore(ports)
  const auth = assembleAuth(config, store, ports)
  const sent = { ...ports, views: core.views }
  const courier = new Courier({
    ...ports,
    outgoing: [new OutgoingDeliveries(sent), new OutgoingNotices(sent)],
    sender: senderOf(config, clock, observed),
    retryMs: config.deliveryRetryMs,
  })
  const sweeper = new Sweeper({ ...ports, handlers: handlers(store, core, auth, courier) }, () =>
    random.fraction(),
  )
  const connections: ConnectionPorts = { ...ports, ...core, ...auth }
  const defaultSettings = settingsOf(config)
  const faced = { ...ports, ...core, defaultSettings, onAbort: config.aiSdkAbort }
  const aiSdk = new AiSdkChat(faced)
  let draining = false

  let demo: Demo | null = null
  const http = createHttp({
    ...ports,
    ...core,
    ...auth,
    attachments: connections,
    health: () => store.check(),
    allowsOrigin: originRule(config.allowedOrigins, config.production),
    defaultSettings,
    aiSdk,
    durability: store.durability,
    draining: () => draining,
    trustProxy: config.trustProxy,
    mounts: config.demo ? [...(demo = createDemo(config, auth.tokens, log)).mounts] : [],
  })
  const gateway = new Gateway(http.server, {
    ...connections,
    random,
    maxConnections: config.maxConnections,
    perAddress: {
      all: config.maxConnectionsPerAddress,
      unproven: config.maxUnprovenPerAddress,
    },
    addressOf: clientAddress(config.trustProxy),
    allowsOrigin: originRule(config.allowedOrigins, config.production),
    doors: [aiSdkDoor(aiSdk, faced)],
  })
  observed?.lookUp({
    followed: () => core.hub.feeds,
    waiting: () => courier.waiting,
    draining: () => draining,
  })
  let shown: MetricsListener | null = null
  const close = once(async () => {
    draining = true
    await demo?.close()
    gateway.close()
    await http.close()
    sweeper.close()
    await courier.close()
    core.presence.close()
    core.keeper.close()
    core.hub.close()
    auth.revocations.close()
    await store.close()
    await shown?.close()
  })
  try {
    await auth.revocations.open()
    shown = await show(config, observed)
    await http.listen({ port: config.port, host: config.host, backlog: BACKLOG })
  } catch (error) {
    await close()
    throw error
  }
  const url = urlOf(config.host, http.server.address())
  demo?.start(url)

  const drain = once(async () => {
    draining = true
    log.info('server.draining', { connections: gateway.size })
    // A balancer takes a moment to notice: until then this node still answers who comes by HTTP.
    const noticed = new Promise<void>((resolve) => {
      clock.after(config.production ? Math.min(NOTICE_MS, config.drainMs) : 0, resolve)
    })
    await Promise.all([gateway.drain(config.drainMs), noticed])
    await close()
  })
  ports.audit?.record({
    act: 'server.start',
    by: null,
    outcome: 'done',
    about: { nodeId, config: shownConfig(config) },
  })
  log.info('server.started', { url, durability: store.durability, nodeId })
  const failed = failureOf(opened, log)
  const metricsUrl = shown && `${urlOf(config.metricsHost, shown)}/metrics`
  return { url, metricsUrl, failed, drain, close }
}

async function failureOf({ failed }: OpenedStore, log: Log): Promise<void> {
  const error = await (failed ?? new Promise<never>(() => undefined))
  log.error('store.failed', {
    error,
    next: 'the server ends; it reads its data anew when it is started again',
  })
}

/** Loaded only where somebody wants to see metrics: nobody else pays for it. */
async function observe({ metricsPort }: LoadedConfig): Promise<Observed | null> {
  if (metricsPort === null) return null
  const { Observed } = await import('./observe/metrics/open.ts')
  return new Observed()
}

async function show(
  { metricsPort: port, metricsHost: host, metricsKey: key }: LoadedConfig,
  observed: Observed | null,
): Promise<MetricsListener | null> {
  if (port === null || observed === null) return null
  return observed.show({ port, host, key })
}

interface CorePorts extends OpenedStore {
  readonly metrics?: Metrics
  readonly clock: SystemClock
  readonly random: SystemRandom
  readonly log: Log
  readonly audit?: Audit
  readonly limits: Limits
  readonly webhookEvents: WebhookEvents
}

interface Core {
  readonly views: Views
  readonly hub: Hub
  readonly keeper: Keeper
  readonly presence: Presence
  readonly attached: Attached
  readonly deliveries: Deliveries
  readonly notices: Notices
  readonly sessions: Sessions
  readonly runs: Runs
  readonly inputs: Inputs
  readonly questions: Questions
  readonly state: SharedState
  readonly effects: Effects
  readonly control: Control
}

function assembleCore(ports: CorePorts): Core {
  const hub = new Hub(ports)
  const views = new Views(ports.store, ports.limits, (...after) => hub.recent(...after))
  const keeper = new Keeper({ ...ports, views })
  const presence = new Presence(ports)
  const attached = new Attached({ ...ports, views })
  const deliveries = new Deliveries({ ...ports, views })
  const notices = new Notices(ports)
  const sessions = new Sessions({ ...ports, keeper, deliveries })
  const runs = new Runs({ ...ports, views, keeper })
  const inputs = new Inputs({ ...ports, views, keeper })
  const questions = new Questions({ ...ports, keeper, schemas: new AnswerSchemas() })
  const state = new SharedState({ ...ports, keeper })
  const effects = new Effects({ ...ports, views, keeper, hash: sha256 })
  const control = new Control({ ...ports, keeper })
  const agents = { runs, inputs, questions, state, effects, control }
  return { views, hub, keeper, presence, attached, deliveries, notices, sessions, ...agents }
}

function assembleAuth(config: LoadedConfig, store: Store, ports: CorePorts) {
  const { clock, random, log, audit } = ports
  const guard = new BruteForce(clock)
  const tickets = new Tickets(store, random, () => clock.now())
  const verifier = new TokenVerifier({
    secret: config.tokenSecret,
    accepted: config.tokenSecretAccepted,
    keySet:
      config.tokenJwksUrl === null ? null : new KeySet({ url: config.tokenJwksUrl, clock, log }),
    issuer: config.tokenIssuer,
    clock,
  })
  const keys = new ApiKeys(config.apiKeys)
  const revocations = new TokenRevocations(ports)
  return {
    tickets,
    revocations,
    tokens: new TokenMint(config.tokenSecret, config.tokenIssuer, clock),
    authenticator: new CredentialAuthenticator({ keys, tokens: verifier, tickets, revocations }),
    attempts: audit === undefined ? guard : new AuditedAttempts(guard, audit, clock),
  }
}

/** What each deadline does when it is due. */
function handlers(
  store: Store,
  core: Core,
  { revocations }: { readonly revocations: TokenRevocations },
  courier: Courier,
): ReadonlyMap<string, (due: DueDeadline) => Promise<void>> {
  return new Map([
    ['member', (due: DueDeadline) => core.presence.expire(due)],
    ['run', (due: DueDeadline) => core.runs.leaseDue(due)],
    ['input', (due: DueDeadline) => core.inputs.due(due)],
    ['question', (due: DueDeadline) => core.questions.due(due)],
    ['expire', (due: DueDeadline) => core.keeper.due(due)],
    ['retention', (due: DueDeadline) => core.keeper.due(due)],
    ['delivery', (due: DueDeadline) => courier.due(due)],
    ['notice', (due: DueDeadline) => courier.due(due)],
    ['ticket', (due: DueDeadline) => expireTicket(store, due)],
    ['revocation', (due: DueDeadline) => revocations.expire(due)],
  ])
}

/** `null`: results wait until they are read. */
function senderOf(
  config: LoadedConfig,
  clock: SystemClock,
  observed: Observed | null,
): WebhookSender | null {
  const { webhookUrl: url, webhookSecret, webhookAllowPrivate: allowPrivate } = config
  if (url === null) return null
  const secrets = webhookSecret ?? []
  const sender = new HttpWebhookSender({ url, secrets, allowPrivate, clock })
  return observed?.sender(sender) ?? sender
}

function urlOf(host: string, address: string | { readonly port: number } | null): string {
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/** Any number of calls, one run, one promise. */
function once(task: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  return () => (running ??= task())
}
