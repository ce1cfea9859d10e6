import type { Config } from './config.ts'
import type { Secret } from './core/secret.ts'

/** A rule over several settings. */
interface ConfigRule {
  /** What is wrong with what could be read; nothing where the rule needs what could not. */
  problems(read: Partial<Config>): readonly string[]
}

function rule<Name extends keyof Config>(
  needs: readonly Name[],
  problems: (config: Pick<Config, Name>) => readonly string[],
): ConfigRule {
  return { problems: (read) => (has(read, needs) ? problems(read) : []) }
}

function has<Name extends keyof Config>(
  read: Partial<Config>,
  names: readonly Name[],
): read is Partial<Config> & Pick<Config, Name> {
  return names.every((name) => read[name] !== undefined)
}

const when = (broken: boolean, problem: string): readonly string[] => (broken ? [problem] : [])

export const CONFIG_RULES: readonly ConfigRule[] = [
  rule(['production', 'apiKeys'], ({ production, apiKeys }) =>
    when(
      production && (apiKeys === null || apiKeys.length === 0),
      'API_KEYS must be set in production, as id:secret; make a secret with: openssl rand -base64 32',
    ),
  ),
  rule(['production', 'apiKeys'], ({ production, apiKeys }) =>
    (apiKeys ?? []).flatMap(({ id, secret }) => {
      const weakness = production ? weaknessOf(secret) : null
      return when(
        weakness !== null,
        `API_KEYS: the secret of ${id} ${weakness}; make one with: openssl rand -base64 32`,
      )
    }),
  ),
  rule(['production', 'tokenSecret', 'tokenJwksUrl'], (config) =>
    when(
      config.production && config.tokenSecret === null && config.tokenJwksUrl === null,
      'TOKEN_SECRET (or TOKEN_JWKS_URL) must be set in production; make one with: openssl rand -base64 32',
    ),
  ),
  rule(['production', 'tokenSecret'], ({ production, tokenSecret }) => {
    const weakness = production && tokenSecret !== null ? weaknessOf(tokenSecret) : null
    return when(
      weakness !== null,
      `TOKEN_SECRET ${weakness}; make one with: openssl rand -base64 32`,
    )
  }),
  rule(['production', 'tokenSecretAccepted'], ({ production, tokenSecretAccepted }) => {
    const weakness =
      production && tokenSecretAccepted !== null ? weaknessOf(tokenSecretAccepted) : null
    return when(
      weakness !== null,
      `TOKEN_SECRET_ACCEPTED ${weakness}; make one with: openssl rand -base64 32`,
    )
  }),
  rule(['production', 'metricsPort', 'metricsHost', 'metricsKey'], (config) =>
    when(
      config.production &&
        config.metricsPort !== null &&
        config.metricsKey === null &&
        !LOOPBACK.test(config.metricsHost),
      'METRICS_KEY must be set in production where METRICS_HOST is not loopback; make one with: openssl rand -base64 32',
    ),
  ),
  rule(['production', 'metricsKey'], ({ production, metricsKey }) => {
    const weakness = production && metricsKey !== null ? weaknessOf(metricsKey) : null
    return when(
      weakness !== null,
      `METRICS_KEY ${weakness}; make one with: openssl rand -base64 32`,
    )
  }),
  rule(['redisDurability', 'redisReplicas'], ({ redisDurability, redisReplicas }) =>
    when(
      (redisDurability === 'replicated') !== redisReplicas > 0,
      'REDIS_REPLICAS must be at least 1 where REDIS_DURABILITY is replicated, and 0 elsewhere',
    ),
  ),
  rule(['redisUrl', 'redisCluster', 'redisDurability', 'redisSentinels'], (config) =>
    when(
      config.redisUrl === null &&
        (config.redisCluster ||
          config.redisDurability !== 'async' ||
          config.redisSentinels !== null),
      'REDIS_URL must be set where REDIS_CLUSTER, REDIS_DURABILITY or REDIS_SENTINELS is',
    ),
  ),
  rule(['redisUrl', 'redisCluster'], ({ redisUrl, redisCluster }) =>
    when(
      redisUrl !== null && redisUrl.length > 1 && !redisCluster,
      'REDIS_URL must be one URL where REDIS_CLUSTER is not true; Sentinels are named by REDIS_SENTINELS',
    ),
  ),
  rule(['redisSentinels', 'redisSentinelName'], ({ redisSentinels, redisSentinelName }) =>
    when(
      (redisSentinels === null) !== (redisSentinelName === null),
      'REDIS_SENTINELS and REDIS_SENTINEL_NAME must be set together: where the Sentinels are, and what they call the primary',
    ),
  ),
  rule(['redisCluster', 'redisSentinels'], ({ redisCluster, redisSentinels }) =>
    when(
      redisCluster && redisSentinels !== null,
      'REDIS_CLUSTER and REDIS_SENTINELS exclude each other; a Cluster fails over by itself',
    ),
  ),
  rule(['redisUrl', 'redisSentinels', 'redisCa', 'redisClientCert'], (config) =>
    when(
      (config.redisCa !== null || config.redisClientCert !== null) &&
        ![...(config.redisUrl ?? []), ...(config.redisSentinels ?? [])].some(isTls),
      'REDIS_CA and REDIS_CLIENT_CERT are for TLS: REDIS_URL must be rediss:// where they are set',
    ),
  ),
  rule(['redisClientCert', 'redisClientKey'], ({ redisClientCert, redisClientKey }) =>
    when(
      (redisClientCert === null) !== (redisClientKey === null),
      'REDIS_CLIENT_CERT and REDIS_CLIENT_KEY must be set together',
    ),
  ),
  rule(['webhookUrl', 'webhookSecret'], ({ webhookUrl, webhookSecret }) =>
    when(
      webhookUrl !== null && webhookSecret === null,
      'WEBHOOK_SECRET must be set where WEBHOOK_URL is, so that the receiver can tell who sends; make one with: echo "whsec_$(openssl rand -base64 32)"',
    ),
  ),
  rule(['production', 'webhookUrl', 'webhookAllowPrivate'], (config) =>
    when(
      config.production &&
        !config.webhookAllowPrivate &&
        config.webhookUrl?.startsWith('http:') === true,
      'WEBHOOK_URL must be https:// in production; plain http:// is for your own network, with WEBHOOK_ALLOW_PRIVATE=true',
    ),
  ),
  rule(['maxFrameBytes', 'maxEventBytes'], ({ maxFrameBytes, maxEventBytes }) =>
    when(
      maxFrameBytes < maxEventBytes + 1024,
      'MAX_FRAME_BYTES must be at least 1024 more than MAX_EVENT_BYTES, so that a frame holds an event',
    ),
  ),
  rule(['outboxBytes', 'maxFrameBytes'], ({ outboxBytes, maxFrameBytes }) =>
    when(outboxBytes < 2 * maxFrameBytes, 'OUTBOX_BYTES must be at least twice MAX_FRAME_BYTES'),
  ),
  rule(['framesBurst', 'framesPerSecond'], ({ framesBurst, framesPerSecond }) =>
    when(framesBurst < framesPerSecond, 'FRAMES_BURST must be at least FRAMES_PER_SECOND'),
  ),
  rule(['presenceWindowMs', 'presenceGraceMs'], ({ presenceWindowMs, presenceGraceMs }) =>
    when(
      presenceWindowMs <= presenceGraceMs,
      'PRESENCE_WINDOW_MS must be more than PRESENCE_GRACE_MS',
    ),
  ),
  rule(['presenceTtlMs', 'heartbeatMs'], ({ presenceTtlMs, heartbeatMs }) =>
    when(
      presenceTtlMs < 2 * heartbeatMs,
      'PRESENCE_TTL_MS must be at least twice HEARTBEAT_MS, so that one late heartbeat is not an absence',
    ),
  ),
]

/** Addresses that only this machine reaches. */
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/
const MIN_SECRET_BYTES = 32
const EXAMPLE = /change.?me|example|placeholder|replace|secret|password|your.?key/i

function isTls(url: Secret): boolean {
  return url.reveal().startsWith('rediss:')
}

/** Why a secret is not fit for production, or `null`. */
function weaknessOf(secret: Secret): string | null {
  const text = secret.reveal()
  if (Buffer.byteLength(text) < MIN_SECRET_BYTES) return 'is shorter than 32 bytes'
  if (EXAMPLE.test(text) || new Set(text).size < 8)
    return 'is an example or a pattern that anybody can guess'
  return null
}
