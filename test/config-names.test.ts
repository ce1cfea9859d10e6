import { expect, test } from 'vitest'
import { misspelt } from '../src/config-names.ts'
import { ConfigError, loadConfig } from '../src/load-config.ts'

const meant = (env: Readonly<Record<string, string>>): string[] =>
  misspelt(env).map(({ name, meant: setting }) => `${name} > ${setting}`)

test.each([
  ['API_KEY', 'API_KEYS'],
  ['REDIS_URI', 'REDIS_URL'],
  ['REDSI_URL', 'REDIS_URL'],
  ['REDIS_URL_FILES', 'REDIS_URL_FILE'],
  ['ALLOW_ORIGINS', 'ALLOWED_ORIGINS'],
  ['ALLOWED_ORIGINS_FILE', 'ALLOWED_ORIGINS'],
  ['TOKENSECRET', 'TOKEN_SECRET'],
  ['redis_url', 'REDIS_URL'],
  ['HELDLINE_DATA_DIR', 'DATA_DIR'],
  ['HELDLINE_API_KEY', 'API_KEYS'],
])(
  'a variable that is near to a setting and is none is told with what is meant: %s',
  (name, to) => {
    expect(meant({ [name]: 'x' })).toEqual([`${name} > ${to}`])
  },
)

test('nobody is warned of what they set right, of what is set beside it, or of what is empty', () => {
  expect(meant({ API_KEYS: 'a:b', REDIS_URL_FILE: '/x', METRICS_KEY: 'k' })).toEqual([])
  expect(meant({ API_KEYS: 'a:b', API_KEY: 'of another program' })).toEqual([])
  expect(meant({ TOKEN_SECRET_FILE: '/x', TOKEN_SECRETS: 'of another program' })).toEqual([])
  expect(meant({ API_KEY: ' ' })).toEqual([])
})

test('the variables of a system, of a host of containers and of other programs are left alone', () => {
  const names =
    `
    PATH HOST_FILE HOME HOSTNAME LANG TERM SHELL USER PWD TMPDIR DEBUG POST PORTS HOSTS host port DEMOS
    XDG_DATA_DIRS XDG_DATA_HOME NODE_OPTIONS NODE_PATH NODE_VERSION NODE_EXTRA_CA_CERTS
    npm_config_cache REDIS_HOST REDIS_PORT REDIS_USER REDIS_PASSWORD REDIS_SSL REDIS_TLS
    REDIS_DB REDIS_SERVICE_HOST REDIS_PORT_6379_TCP DATABASE_URL MYSQL_URL HELDLINE_URL
    HELDLINE_KEY HELDLINE_PORT HELDLINE_SERVICE_HOST HELDLINE_PORT_4400_TCP_ADDR
    OPENAI_API_KEY ANTHROPIC_API_KEY OPENAI_BASE_URL JWT_SECRET SESSION_SECRET
    AWS_SECRET_ACCESS_KEY GITHUB_TOKEN LOG_FILE MAX_MEMORY WEB_CONCURRENCY DYNO
    KUBERNETES_SERVICE_HOST SENTRY_DSN
  `.match(/\S+/g) ?? []
  expect(meant(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([])
})

test('a start that fails for want of a setting names what was taken for it, and no value', () => {
  const env = { NODE_ENV: 'production', API_KEY: 'main:canary', TOKEN_SECRET: 'x'.repeat(40) }
  const start = (): unknown => loadConfig(env)
  expect(start).toThrow(ConfigError)
  expect(start).toThrow(/API_KEY is set, and is not read; API_KEYS is/)
  expect(start).not.toThrow(/canary/)
})
