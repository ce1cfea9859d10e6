import type * as z from 'zod'
import {
  apiKeys,
  certificates,
  delays,
  flag,
  httpsUrl,
  integer,
  limit,
  networks,
  oneOf,
  origins,
  privateKey,
  redisUrls,
  secret,
  sentinels,
  webhookEvents,
  webhookSecrets,
  webhookUrl,
  words,
} from './config-values.ts'

/** One setting: how its text is read, what it is when it is not set, and a sentence for whoever sets it. */
export interface Setting<Value> {
  readonly schema: z.ZodType<Value, string>
  /** As text, read by the schema like any other; `null`: the value is `null`. */
  readonly default: string | null
  readonly about: string
  /** Whether `<NAME>_FILE` may name a file that holds the text. */
  readonly file?: true
}

function setting<Value>(
  schema: z.ZodType<Value, string>,
  text: string,
  about: string,
): Setting<Value> {
  return { schema, default: text, about }
}

function optional<Value>(schema: z.ZodType<Value, string>, about: string): Setting<Value | null> {
  return { schema, default: null, about }
}

function credential<Value>(schema: z.ZodType<Value, string>, about: string): Setting<Value | null> {
  return { schema, default: null, about, file: true }
}

const DAY_MS = 24 * 60 * 60 * 1000
const milliseconds = integer(1, 365 * DAY_MS)
const bytes = integer(1024, 1024 ** 3)
const count = integer(1, 1_000_000)

/** THE table of settings, by what they are about. */
export const SETTINGS = {
  Server: {
    NODE_ENV: setting(
      oneOf(['development', 'production', 'test']),
      'development',
      'In production, the server starts only with credentials that are safe; elsewhere it makes its own.',
    ),
    PORT: setting(
      integer(0, 65_535),
      '4400',
      'The port for HTTP and WebSockets; 0 takes a free one.',
    ),
    HOST: optional(
      words,
      'The address to listen on; unset: 0.0.0.0 in production, 127.0.0.1 elsewhere.',
    ),
    DEMO: setting(
      oneOf(['auto', 'on', 'off']),
      'auto',
      'Whether the page at /demo is there, open to whoever reaches the server; auto: outside production.',
    ),
    LOG_LEVEL: setting(
      oneOf(['debug', 'info', 'warn', 'error', 'silent']),
      'info',
      'The least level that is logged.',
    ),
    AUDIT_LOG: setting(
      oneOf(['auto', 'on', 'off']),
      'auto',
      'Whether acts that somebody may have to answer for are logged (audit: true), whatever LOG_LEVEL leaves out (docs/audit.md); auto: in production.',
    ),
    TRUST_PROXY: setting(
      networks,
      '',
      'The proxies whose X-Forwarded-* headers are believed, as networks (10.0.0.0/8).',
    ),
    DRAIN_MS: setting(
      integer(0, 10 * 60_000),
      '10000',
      'For how long a node that goes down goes on serving while its clients move.',
    ),
  },
  Metrics: {
    METRICS_PORT: optional(
      integer(0, 65_535),
      'The port for Prometheus metrics at /metrics, apart from the one that clients reach; unset: there are none; 0 takes a free one.',
    ),
    METRICS_HOST: setting(
      words,
      '127.0.0.1',
      'The address that metrics are shown at; another than loopback needs METRICS_KEY in production.',
    ),
    METRICS_KEY: credential(
      secret,
      'What a scraper must show (Authorization: Bearer); at least 32 bytes. Make one with: openssl rand -base64 32',
    ),
  },
  Credentials: {
    API_KEYS: credential(
      apiKeys,
      'The keys of servers and agents as id:secret; two ids allow a change without a break. Make a secret with: openssl rand -base64 32',
    ),
    TOKEN_SECRET: credential(
      secret,
      'Signs and verifies the tokens of browsers (HS256); at least 32 bytes.',
    ),
    TOKEN_SECRET_ACCEPTED: credential(
      secret,
      'Another secret whose tokens are good, too; none is made with it. For the day on which TOKEN_SECRET is replaced.',
    ),
    TOKEN_JWKS_URL: optional(
      httpsUrl,
      'Where the public keys are that verify tokens of your own issuer (EdDSA, ES256, RS256).',
    ),
    TOKEN_ISSUER: optional(
      words,
      'The `iss` that every token must carry; unset: any, and tokens made here carry `heldline`.',
    ),
    ALLOWED_ORIGINS: setting(
      origins,
      '',
      'The web origins that browsers may connect from, exactly; outside production, an empty list allows localhost.',
    ),
  },
  Store: {
    DATA_DIR: setting(
      words,
      './data',
      'The folder of the embedded store, and of credentials made in development.',
    ),
    SQLITE_SYNCHRONOUS: setting(
      oneOf(['full', 'normal']),
      'full',
      'full: what is acknowledged survives power loss; normal: it survives the process.',
    ),
    REDIS_URL: credential(
      redisUrls,
      'The Redis or Valkey that all nodes share; unset: an embedded SQLite file in DATA_DIR.',
    ),
    REDIS_CLUSTER: setting(
      flag,
      'false',
      'Whether REDIS_URL is a Redis Cluster; then it may name several of its nodes, with commas between.',
    ),
    REDIS_SENTINELS: credential(
      sentinels,
      'The Sentinels that know the primary, as host:port with commas between; user, password, TLS and database of Redis itself are those of REDIS_URL, whose host is not used.',
    ),
    REDIS_SENTINEL_NAME: optional(words, 'What the Sentinels call the primary.'),
    REDIS_DURABILITY: setting(
      oneOf(['async', 'fsync', 'replicated']),
      'async',
      'What is acknowledged survives: async: any process; fsync: power loss (appendfsync always); replicated: loss of the primary.',
    ),
    REDIS_REPLICAS: setting(
      integer(0, 10),
      '0',
      'How many replicas must have an event before it is acknowledged, where REDIS_DURABILITY is replicated.',
    ),
    REDIS_CA: credential(
      certificates,
      'The authorities that may vouch for Redis where REDIS_URL is rediss://, in PEM, and no others then; unset: those that Node.js knows.',
    ),
    REDIS_CLIENT_CERT: credential(
      certificates,
      'The certificate that Heldline shows to a Redis that asks for one (tls-auth-clients), in PEM.',
    ),
    REDIS_CLIENT_KEY: credential(privateKey, 'The private key of REDIS_CLIENT_CERT, in PEM.'),
  },
  Retention: {
    RETENTION_MAX_AGE_MS: setting(
      limit,
      String(7 * DAY_MS),
      'How long a session that is made without a word on it keeps an event; 0: no limit. Sessions that are there keep theirs until they are changed (PATCH).',
    ),
    RETENTION_MAX_EVENTS: setting(limit, '0', 'How many events such a session keeps; 0: no limit.'),
    RETENTION_MAX_BYTES: setting(
      limit,
      '0',
      'How many bytes of events such a session keeps; 0: no limit.',
    ),
  },
  Presence: {
    HEARTBEAT_MS: setting(
      integer(100, 60_000),
      '15000',
      'How often a connection hears the heads of its sessions.',
    ),
    PRESENCE_GRACE_MS: setting(
      milliseconds,
      '15000',
      'How long a lost socket may take to come back before others see it as not connected.',
    ),
    PRESENCE_WINDOW_MS: setting(
      milliseconds,
      '120000',
      'How long after the loss of its socket a member leaves.',
    ),
    PRESENCE_TTL_MS: setting(
      milliseconds,
      '45000',
      'How long a member whose node died is still seen.',
    ),
  },
  Webhook: {
    WEBHOOK_URL: optional(
      webhookUrl,
      'Where a result is sent that its person has not read in time, and what else WEBHOOK_EVENTS names; unset: nothing is sent.',
    ),
    WEBHOOK_EVENTS: setting(
      webhookEvents,
      'run.finished,run.failed',
      'What is sent: results (run.finished, run.failed), inputs that wait (input.received), the first person that comes and the last that leaves (presence.attached, presence.empty).',
    ),
    WEBHOOK_SECRET: credential(
      webhookSecrets,
      'Signs what is sent (Standard Webhooks). Make one with: echo "whsec_$(openssl rand -base64 32)"; two with a comma between allow a change without a break.',
    ),
    WEBHOOK_ALLOW_PRIVATE: setting(
      flag,
      'false',
      'Whether WEBHOOK_URL may lead to loopback, private and link-local addresses: your own network.',
    ),
    DELIVERY_AFTER_MS: setting(
      milliseconds,
      '60000',
      'How long a result may stay unread before it is sent.',
    ),
    DELIVERY_RETRY_MS: setting(
      delays,
      '5000,30000,120000,600000,3600000,21600000',
      'How long after each failed try of the webhook the next one is; after the last it has failed, and a result can be replayed.',
    ),
    INPUT_WEBHOOK_AFTER_MS: setting(
      milliseconds,
      '1000',
      'How long an input may wait for an agent before it is sent, where WEBHOOK_EVENTS names input.received.',
    ),
  },
  'Compatible faces': {
    AI_SDK_ABORT: setting(
      oneOf(['detach', 'cancel']),
      'detach',
      'What an abort means that a stock client of the AI SDK sends over its WebSocket, for "stop" and for "leave" alike; cancel: it stops the run.',
    ),
  },
  Limits: {
    MAX_EVENT_BYTES: setting(bytes, '65536', 'The largest event.'),
    MAX_FRAME_BYTES: setting(bytes, '131072', 'The largest frame of a WebSocket.'),
    MAX_CONNECTIONS: setting(count, '10000', 'How many connections this node holds.'),
    MAX_CONNECTIONS_PER_ADDRESS: setting(
      limit,
      '1000',
      'How many WebSockets this node holds of one address (of IPv6, of one /64); 0: no limit. Private networks have none; behind a proxy, see TRUST_PROXY.',
    ),
    MAX_UNPROVEN_PER_ADDRESS: setting(
      limit,
      '100',
      'Of these, how many that have shown no credentials yet; 0: no limit.',
    ),
    MAX_SESSIONS_PER_SOCKET: setting(
      count,
      '100',
      'How many sessions one socket may be attached to.',
    ),
    FRAMES_PER_SECOND: setting(
      count,
      '50',
      'How many frames a second a socket may send in the long run.',
    ),
    FRAMES_BURST: setting(count, '100', 'How many frames a socket may send at once.'),
    MAX_MEMBERS: setting(count, '1000', 'How many members a session may have.'),
    OUTBOX_BYTES: setting(
      bytes,
      '1048576',
      'What may wait for one slow socket before it is closed; its events wait in the store.',
    ),
  },
} as const satisfies Record<string, Record<string, Setting<unknown>>>

type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<Camel<Tail>>}`
  : Lowercase<Name>
type Values<Table> = {
  readonly [Name in keyof Table & string as Camel<Name>]: Table[Name] extends Setting<infer Value>
    ? Value
    : never
}
type Merged<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never
type Tables = (typeof SETTINGS)[keyof typeof SETTINGS]
/** The settings as their texts say, before what follows from them. */
export type Parsed = Merged<
  Tables extends infer Table ? (Table extends unknown ? Values<Table> : never) : never
>

/** Every setting by its name in camel case (`REDIS_URL` is `redisUrl`), frozen all the way down. */
export type Config = Omit<Parsed, 'host' | 'demo' | 'auditLog'> & {
  readonly host: string
  readonly production: boolean
  readonly demo: boolean
  readonly auditLog: boolean
}

/** The text of `.env.example`: every setting with its sentence and default. */
export function renderEnvExample(): string {
  const lines = [
    '# Every setting of Heldline, with its default. Rendered from src/config.ts by `node scripts/render-docs.ts`.',
  ]
  for (const [title, table] of Object.entries(SETTINGS)) {
    lines.push('', `## ${title}`)
    for (const [name, entry] of Object.entries<Setting<unknown>>(table)) {
      lines.push('', `# ${entry.about}`, `#${name}=${entry.default ?? ''}`)
      if (entry.file === true) lines.push(`#${name}_FILE=`)
    }
  }
  return `${lines.join('\n')}\n`
}
