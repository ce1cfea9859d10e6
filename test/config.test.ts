import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { renderEnvExample, SETTINGS } from '../src/config.ts'
import { ConfigError, loadConfig, parseConfig, type Environment } from '../src/load-config.ts'
import { createAuthority } from './support/certificates.ts'

const KEY_SECRET = 'n7Jq0wVbXcR2tYpLs9KdFgHaZxM4uE6i'
const TOKEN_SECRET = 'Qm3Wn8Rb5Vt1Yc7Ux2Zl9Kp4Jh6Gf0Sd'
const PRODUCTION = { NODE_ENV: 'production', API_KEYS: `main:${KEY_SECRET}`, TOKEN_SECRET }
const WEBHOOK = {
  WEBHOOK_URL: 'https://example.com/hook',
  WEBHOOK_SECRET: `whsec_${Buffer.from(KEY_SECRET).toString('base64')}`,
}

function problemsOf(env: Environment): readonly string[] {
  try {
    parseConfig(env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).problems
  }
  return []
}

describe('settings', () => {
  test('nothing set gives the documented defaults', () => {
    expect(parseConfig({})).toMatchObject({
      port: 4400,
      host: '127.0.0.1',
      production: false,
      dataDir: './data',
      redisUrl: null,
      redisDurability: 'async',
      sqliteSynchronous: 'full',
      retentionMaxAgeMs: 7 * 24 * 60 * 60 * 1000,
      retentionMaxEvents: null,
      retentionMaxBytes: null,
      heartbeatMs: 15_000,
      presenceGraceMs: 15_000,
      presenceWindowMs: 120_000,
      presenceTtlMs: 45_000,
      maxEventBytes: 65_536,
      maxFrameBytes: 131_072,
      maxConnections: 10_000,
      maxConnectionsPerAddress: 1000,
      maxUnprovenPerAddress: 100,
      maxSessionsPerSocket: 100,
      framesPerSecond: 50,
      framesBurst: 100,
      maxMembers: 1000,
      outboxBytes: 1_048_576,
      drainMs: 10_000,
      auditLog: false,
      allowedOrigins: [],
      trustProxy: [],
      webhookUrl: null,
      webhookSecret: null,
      webhookEvents: new Set(['run.finished', 'run.failed']),
      inputWebhookAfterMs: 1000,
      webhookAllowPrivate: false,
      deliveryAfterMs: 60_000,
      deliveryRetryMs: [5000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000],
    })
  })

  test('a variable that is empty counts as not set', () => {
    const empty = Object.values(SETTINGS).flatMap((table) => Object.keys(table))
    expect(parseConfig(Object.fromEntries(empty.map((name) => [name, ''])))).toEqual(
      parseConfig({}),
    )
  })

  test('every value is read by its form', () => {
    const config = parseConfig({
      ...PRODUCTION,
      PORT: '0',
      API_KEYS: `main:${KEY_SECRET}, next:${KEY_SECRET}:with:colons`,
      ALLOWED_ORIGINS: 'https://app.example.com, http://localhost:3000,capacitor://localhost',
      TRUST_PROXY: '10.0.0.0/8,::1,fd00::/8,192.168.1.1',
      REDIS_URL: 'rediss://user:pass@redis.internal:6380/0,rediss://redis-2.internal',
      REDIS_CLUSTER: 'true',
      REDIS_DURABILITY: 'replicated',
      REDIS_REPLICAS: '2',
      RETENTION_MAX_AGE_MS: '0',
      RETENTION_MAX_EVENTS: '100000',
    })
    expect(config.port).toBe(0)
    expect(config.auditLog).toBe(true)
    expect(config.host).toBe('0.0.0.0')
    expect(config.apiKeys?.map(({ id, secret }) => [id, secret.reveal()])).toEqual([
      ['main', KEY_SECRET],
      ['next', `${KEY_SECRET}:with:colons`],
    ])
    expect(config.allowedOrigins).toHaveLength(3)
    expect(config.trustProxy).toHaveLength(4)
    expect(config.redisUrl?.map((url) => url.reveal())).toEqual([
      'rediss://user:pass@redis.internal:6380/0',
      'rediss://redis-2.internal',
    ])
    expect(config.redisCluster).toBe(true)
    expect(config.retentionMaxAgeMs).toBeNull()
    expect(config.retentionMaxEvents).toBe(100_000)
  })

  test('the result is frozen all the way down', () => {
    const config = parseConfig(PRODUCTION)
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.apiKeys)).toBe(true)
    expect(Object.isFrozen(config.apiKeys?.[0])).toBe(true)
  })

  test.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '1e3'],
    ['PORT', '0x10'],
    ['PORT', 'toString'],
    ['NODE_ENV', 'staging'],
    ['LOG_LEVEL', 'loud'],
    ['API_KEYS', 'no-colon'],
    ['API_KEYS', ':secret'],
    ['API_KEYS', 'id:'],
    ['API_KEYS', 'a:one,a:two'],
    ['API_KEYS', 'a b:secret'],
    ['TOKEN_JWKS_URL', 'http://keys.example.com/jwks'],
    ['TOKEN_JWKS_URL', 'https://user:pass@keys.example.com/jwks'],
    ['TOKEN_JWKS_URL', 'file:///etc/passwd'],
    ['ALLOWED_ORIGINS', 'https://app.example.com/'],
    ['ALLOWED_ORIGINS', 'https://*.example.com'],
    ['ALLOWED_ORIGINS', 'app.example.com'],
    ['ALLOWED_ORIGINS', 'https://app.example.com:443'],
    ['ALLOWED_ORIGINS', 'https://App.example.com'],
    ['ALLOWED_ORIGINS', '*'],
    ['ALLOWED_ORIGINS', 'null'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', 'loopback'],
    ['REDIS_URL', 'http://redis'],
    ['REDIS_URL', 'redis://redis:6379/sessions'],
    ['REDIS_URL', ','],
    ['REDIS_SENTINELS', 'http://sentinel'],
    ['REDIS_SENTINELS', 'sentinel:port'],
    ['REDIS_SENTINELS', ','],
    ['REDIS_SENTINELS', 'redis://:one@sentinel-1,redis://:two@sentinel-2'],
    ['REDIS_CLUSTER', 'yes'],
    ['SQLITE_SYNCHRONOUS', 'off'],
    ['MAX_EVENT_BYTES', '10'],
    ['RETENTION_MAX_EVENTS', '-5'],
    ['WEBHOOK_URL', 'ftp://example.com/hook'],
    ['WEBHOOK_URL', 'https://user:pass@example.com/hook'],
    ['WEBHOOK_SECRET', 'whsec_dG9vIHNob3J0'],
    ['WEBHOOK_SECRET', 'n7Jq0wVbXcR2tYpLs9KdFgHaZxM4uE6i'],
    ['WEBHOOK_EVENTS', 'run.finished,run.started'],
    ['WEBHOOK_ALLOW_PRIVATE', '1'],
    ['DELIVERY_RETRY_MS', '5000,0'],
    ['DELIVERY_RETRY_MS', '5 s'],
    ['DELIVERY_RETRY_MS', Array(21).fill('1').join()],
  ])('%s=%s is refused, by name', (name, value) => {
    const problems = problemsOf({ [name]: value })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${name} `))
  })

  test('every problem is reported at once', () => {
    const problems = problemsOf({
      PORT: 'x',
      LOG_LEVEL: 'x',
      FRAMES_BURST: '1',
      REDIS_REPLICAS: '1',
    })
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'PORT',
      'LOG_LEVEL',
      'REDIS_REPLICAS',
      'FRAMES_BURST',
    ])
  })

  test.each([
    [{ REDIS_DURABILITY: 'replicated', REDIS_URL: 'redis://r' }, 'REDIS_REPLICAS'],
    [{ REDIS_CLUSTER: 'true' }, 'REDIS_URL'],
    [{ REDIS_DURABILITY: 'fsync' }, 'REDIS_URL'],
    [{ REDIS_URL: 'redis://a,redis://b' }, 'REDIS_URL'],
    [{ REDIS_SENTINELS: 's:26379', REDIS_SENTINEL_NAME: 'main' }, 'REDIS_URL'],
    [{ MAX_EVENT_BYTES: '131072' }, 'MAX_FRAME_BYTES'],
    [{ OUTBOX_BYTES: '131072' }, 'OUTBOX_BYTES'],
    [{ PRESENCE_WINDOW_MS: '15000' }, 'PRESENCE_WINDOW_MS'],
    [{ HEARTBEAT_MS: '30000' }, 'PRESENCE_TTL_MS'],
    [{ WEBHOOK_URL: 'https://example.com/hook' }, 'WEBHOOK_SECRET'],
    [{ ...PRODUCTION, ...WEBHOOK, WEBHOOK_URL: 'http://example.com/hook' }, 'WEBHOOK_URL'],
    [{ ...PRODUCTION, METRICS_PORT: '9464', METRICS_HOST: '0.0.0.0' }, 'METRICS_KEY'],
  ])('%j is refused, since settings belong together', (env, name) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(new RegExp(`^${name} must`))])
  })

  test('a webhook in production is HTTPS, or in a network that is said to be private', () => {
    expect(parseConfig({ ...PRODUCTION, ...WEBHOOK }).webhookUrl).toBe('https://example.com/hook')
    const inside = { WEBHOOK_URL: 'http://backend:3000/hook', WEBHOOK_ALLOW_PRIVATE: 'true' }
    expect(problemsOf({ ...PRODUCTION, ...WEBHOOK, ...inside })).toEqual([])
  })

  test('metrics are off, then at loopback, and elsewhere in production only with a key of 32 bytes', () => {
    expect(parseConfig({}).metricsPort).toBeNull()
    const metrics = { ...PRODUCTION, METRICS_PORT: '9464' }
    expect(parseConfig(metrics)).toMatchObject({ metricsHost: '127.0.0.1', metricsKey: null })
    expect(problemsOf({ ...metrics, METRICS_HOST: '::1' })).toEqual([])
    expect(problemsOf({ ...PRODUCTION, METRICS_HOST: '0.0.0.0' })).toEqual([])
    const abroad = { ...metrics, METRICS_HOST: '0.0.0.0' }
    expect(problemsOf({ ...abroad, METRICS_KEY: KEY_SECRET })).toEqual([])
    for (const METRICS_KEY of ['short', 'change-me-change-me-change-me-change-me']) {
      expect(problemsOf({ ...abroad, METRICS_KEY })).toEqual([
        expect.stringMatching(/^METRICS_KEY is /),
      ])
    }
  })

  test('a webhook may have two secrets while one is changed', () => {
    const secrets = `${WEBHOOK.WEBHOOK_SECRET}, ${WEBHOOK.WEBHOOK_SECRET}`
    expect(parseConfig({ ...WEBHOOK, WEBHOOK_SECRET: secrets }).webhookSecret).toHaveLength(2)
  })

  test('Sentinels are named as hosts or as URLs', () => {
    const config = parseConfig({
      REDIS_URL: 'rediss://user:pass@main/2',
      REDIS_SENTINELS: 'redis://:s3ntinel@sentinel-1:26379, redis://:s3ntinel@sentinel-2',
      REDIS_SENTINEL_NAME: 'main',
    })
    expect(config.redisSentinels?.map((url) => url.reveal())).toEqual([
      'redis://:s3ntinel@sentinel-1:26379',
      'redis://:s3ntinel@sentinel-2',
    ])
    const bare = { REDIS_URL: 'redis://main', REDIS_SENTINEL_NAME: 'main' }
    const { redisSentinels } = parseConfig({ ...bare, REDIS_SENTINELS: 'one:26379,[::1]:26380' })
    expect(redisSentinels?.map((url) => url.reveal())).toEqual([
      'redis://one:26379',
      'redis://[::1]:26380',
    ])
  })

  test.each([{ REDIS_SENTINELS: 'sentinel:26379' }, { REDIS_SENTINEL_NAME: 'main' }])(
    'half of what a Sentinel needs is refused: %j',
    (half) => {
      expect(problemsOf({ REDIS_URL: 'redis://main', ...half })).toEqual([
        'REDIS_SENTINELS and REDIS_SENTINEL_NAME must be set together: where the Sentinels are, and what they call the primary',
      ])
    },
  )

  test('a Cluster has no Sentinels', () => {
    const env = {
      REDIS_URL: 'redis://node',
      REDIS_CLUSTER: 'true',
      REDIS_SENTINELS: 'sentinel:26379',
      REDIS_SENTINEL_NAME: 'main',
    }
    expect(problemsOf(env)).toEqual([
      'REDIS_CLUSTER and REDIS_SENTINELS exclude each other; a Cluster fails over by itself',
    ])
  })
})

describe('TLS to Redis', () => {
  const authority = createAuthority()
  const { cert, key } = authority.issue('heldline')
  const url = { REDIS_URL: 'rediss://main' }

  test('has authorities, and a certificate of ours with its key, all in PEM', () => {
    const two = `${authority.cert}${createAuthority().cert}`
    const config = parseConfig({
      ...url,
      REDIS_CA: two,
      REDIS_CLIENT_CERT: cert,
      REDIS_CLIENT_KEY: key,
    })
    expect(config.redisCa).toBe(two.trim())
    expect(config.redisClientCert).toBe(cert.trim())
    expect(config.redisClientKey?.reveal()).toBe(key.trim())
    expect(inspect(config, { depth: 9 })).not.toContain('PRIVATE KEY')
  })

  test.each([
    [{ ...url, REDIS_CA: '/etc/ssl/ca.pem' }, /^REDIS_CA must be certificates in PEM/],
    [{ ...url, REDIS_CA: cert.replace('MII', 'AAA') }, /^REDIS_CA must be certificates in PEM/],
    [
      { ...url, REDIS_CLIENT_CERT: cert, REDIS_CLIENT_KEY: cert },
      /^REDIS_CLIENT_KEY must be a private key in PEM/,
    ],
    [{ ...url, REDIS_CLIENT_CERT: cert }, /^REDIS_CLIENT_CERT and REDIS_CLIENT_KEY must be set/],
    [{ REDIS_URL: 'redis://main', REDIS_CA: cert }, /REDIS_URL must be rediss:\/\//],
    [{ REDIS_CA: cert }, /REDIS_URL must be rediss:\/\//],
  ])('is refused where it makes no sense (%#)', (env, problem) => {
    expect(problemsOf(env)).toEqual([expect.stringMatching(problem)])
  })
})

describe('credentials in files', () => {
  const files: Record<string, string> = {
    '/run/keys': `a:${KEY_SECRET}\nb:${KEY_SECRET}\n`,
    '/run/empty': '\n',
  }
  const readFile = (path: string): string => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
    return text
  }

  test('a file takes the place of the variable', () => {
    const config = parseConfig({ API_KEYS_FILE: '/run/keys' }, readFile)
    expect(config.apiKeys?.map(({ id }) => id)).toEqual(['a', 'b'])
  })

  test.each([
    [
      { API_KEYS_FILE: '/run/keys', API_KEYS: 'a:b' },
      'API_KEYS and API_KEYS_FILE are both set; set one',
    ],
    [{ TOKEN_SECRET_FILE: '/run/none' }, 'TOKEN_SECRET_FILE cannot be read (ENOENT): /run/none'],
    [{ REDIS_URL_FILE: '/run/empty' }, 'REDIS_URL_FILE is empty: /run/empty'],
  ])('%j is refused', (env, problem) => {
    expect(() => parseConfig(env, readFile)).toThrow(problem)
  })
})

describe('production', () => {
  test('starts with a key and a token secret of 32 bytes', () => {
    expect(problemsOf(PRODUCTION)).toEqual([])
  })

  test('starts with a key and a JWKS', () => {
    const jwks = { TOKEN_SECRET: '', TOKEN_JWKS_URL: 'https://keys.example.com/jwks' }
    expect(problemsOf({ ...PRODUCTION, ...jwks })).toEqual([])
  })

  test.each([
    ['no key', { API_KEYS: '' }, /^API_KEYS must be set .* openssl rand/],
    [
      'a short key',
      { API_KEYS: 'main:short' },
      /^API_KEYS: the secret of main is shorter than 32 bytes; .* openssl/,
    ],
    [
      'an example key',
      { API_KEYS: 'main:change-me-change-me-change-me-change-me' },
      /^API_KEYS: the secret of main is an example/,
    ],
    [
      'a key of one letter',
      { API_KEYS: `main:${'a'.repeat(40)}` },
      /^API_KEYS: the secret of main is an example/,
    ],
    ['no token secret', { TOKEN_SECRET: '' }, /^TOKEN_SECRET \(or TOKEN_JWKS_URL\) must be set/],
    [
      'a short token secret',
      { TOKEN_SECRET: 'short' },
      /^TOKEN_SECRET is shorter than 32 bytes; .* openssl/,
    ],
    [
      'a weak secret beside it',
      { TOKEN_SECRET_ACCEPTED: 'short' },
      /^TOKEN_SECRET_ACCEPTED is shorter than 32 bytes; .* openssl/,
    ],
    [
      'an example token secret',
      { TOKEN_SECRET: 'replace-this-with-32-random-bytes!' },
      /^TOKEN_SECRET is an example/,
    ],
  ])('refuses %s and says what to set', (_, change, problem) => {
    const env = { ...PRODUCTION, ...change }
    expect(problemsOf(env)).toEqual([expect.stringMatching(problem)])
    expect(problemsOf({ ...env, NODE_ENV: 'development' })).toEqual([])
  })

  test('a short secret beside a JWKS is still refused', () => {
    const env = {
      ...PRODUCTION,
      TOKEN_SECRET: 'short',
      TOKEN_JWKS_URL: 'https://keys.example.com/jwks',
    }
    expect(problemsOf(env)).toHaveLength(1)
  })
})

describe('secrecy', () => {
  const env = {
    API_KEYS: 'main:canary-key-canary-key-canary-key',
    TOKEN_SECRET: 'canary-token-canary-token-canary',
    REDIS_URL: 'redis://:canary-password@redis:6379',
    REDIS_SENTINELS: 'redis://:canary-password@sentinel:26379',
    REDIS_SENTINEL_NAME: 'main',
  }

  test('a config that is printed shows no credential', () => {
    const config = parseConfig(env)
    for (const printed of [
      JSON.stringify(config),
      inspect(config, { depth: 9, showHidden: true }),
      String(config.tokenSecret),
    ]) {
      expect(printed).not.toContain('canary')
    }
  })

  test('a problem shows no credential', () => {
    const bad = {
      API_KEYS: 'canary',
      REDIS_URL: 'canary',
      TOKEN_SECRET: 'canary',
      NODE_ENV: 'production',
    }
    expect(problemsOf(bad)).toHaveLength(3)
    expect(problemsOf(bad).join()).not.toContain('canary')
  })
})

describe('development credentials', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heldline-config-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test('are made once, kept for their owner alone, and reported', () => {
    const DATA_DIR = join(folder, 'data')
    const first = loadConfig({ DATA_DIR })
    const second = loadConfig({ DATA_DIR })
    expect(first.development?.created).toBe(true)
    expect(second.development?.created).toBe(false)
    expect(statSync(first.development?.path ?? '').mode & 0o777).toBe(0o600)
    const secrets = [first, second].map(({ config }) => [
      config.apiKeys[0]?.secret.reveal(),
      config.tokenSecret?.reveal(),
    ])
    expect(secrets[0]).toEqual(secrets[1])
    expect(secrets[0]?.[0]).toHaveLength(43)
    expect(secrets[0]?.[1]).toHaveLength(43)
    expect(first.config.apiKeys[0]?.id).toBe('dev')
    expect(Object.isFrozen(first.config)).toBe(true)
  })

  test('are not made where the settings hold credentials', () => {
    const loaded = loadConfig({ ...PRODUCTION, DATA_DIR: join(folder, 'data') })
    expect(loaded.development).toBeNull()
    expect(() => statSync(join(folder, 'data'))).toThrow('ENOENT')
  })

  test('fill in only what is missing', () => {
    const { config } = loadConfig({ API_KEYS: 'mine:secret', DATA_DIR: folder })
    expect(config.apiKeys.map(({ id }) => id)).toEqual(['mine'])
    expect(config.tokenSecret).not.toBeNull()
  })

  test('of a server that keeps nothing are its own, and kept nowhere', () => {
    const env = { DATA_DIR: ':memory:' }
    const [first, second] = [loadConfig(env), loadConfig(env)]
    expect(first.development?.path).toBeNull()
    expect(first.config.apiKeys.map(({ id }) => id)).toEqual(['dev'])
    const [one, other] = [first, second].map(({ config }) => config.tokenSecret?.reveal())
    expect(one).toHaveLength(43)
    expect(one).not.toBe(other)
    expect(existsSync(':memory:')).toBe(false)
  })

  test('a damaged file is named, and its content is not', () => {
    writeFileSync(join(folder, 'development-credentials.json'), '{"apiKeySecret":"canary"}')
    expect(() => loadConfig({ DATA_DIR: folder })).toThrow(
      /development-credentials\.json is damaged/,
    )
    expect(() => loadConfig({ DATA_DIR: folder })).not.toThrow(/canary/)
  })
})

test('.env.example is what the table renders', () => {
  expect(readFileSync('.env.example', 'utf8')).toBe(renderEnvExample())
})

test('.env.example, with every line taken, gives the defaults', () => {
  const lines = renderEnvExample().split('\n')
  const taken = lines.flatMap((line) => {
    const match = /^#([A-Z_]+)=(.*)$/.exec(line)
    return match === null ? [] : [[match[1], match[2]]]
  })
  expect(taken.length).toBeGreaterThan(30)
  expect(parseConfig(Object.fromEntries(taken) as Environment)).toEqual(parseConfig({}))
})
