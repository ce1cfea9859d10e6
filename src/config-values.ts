import { createPrivateKey, X509Certificate } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import * as z from 'zod'
import { Secret } from './core/secret.ts'
import { WEBHOOK_EVENTS, type WebhookEvent } from './core/webhook.ts'

/** The forms that settings come in: each a schema from the text of an environment variable to its value. Messages never hold the text. */

const text = z.string()

function form<Value>(parse: (text: string) => Value | undefined, message: string) {
  return text.transform((input, context): Value => {
    const value = parse(input)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

export const integer = (min: number, max: number) =>
  form((input) => {
    const value = /^[0-9]{1,15}$/.test(input) ? Number(input) : Number.NaN
    return value >= min && value <= max ? value : undefined
  }, `must be a whole number from ${min} to ${max}`)

/** A whole number, where 0 means that there is no such limit: `null`. */
export const limit = integer(0, Number.MAX_SAFE_INTEGER).transform((value) =>
  value === 0 ? null : value,
)

export const oneOf = <const Options extends readonly [string, ...string[]]>(options: Options) =>
  z.enum(options, { error: `must be one of ${options.join(', ')}` })

export const flag = oneOf(['true', 'false']).transform((value) => value === 'true')

export const words = text

/** A list with commas (or, in a file, lines) between; each entry is checked by `accepts`. */
const list = (accepts: (entry: string) => boolean, message: string) =>
  form((input): readonly string[] | undefined => {
    const entries = split(input)
    return entries.every(accepts) ? entries : undefined
  }, message)

/** Exact origins, as a browser sends them; apps may have schemes of their own. */
export const origins = list(
  isOrigin,
  'must be exact origins with commas between, such as https://app.example.com, without a path, a wildcard or a slash at the end',
)

export const networks = list(
  isNetwork,
  'must be IP addresses or networks with commas between, such as 10.0.0.0/8',
)

export interface ApiKey {
  readonly id: string
  readonly secret: Secret
}

const API_KEY = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,63}):([\x21-\x7e]+)$/

export const apiKeys = form((input): readonly ApiKey[] | undefined => {
  const entries = split(input).map((entry) => API_KEY.exec(entry))
  const ids = new Set(entries.map((match) => match?.[1]))
  if (ids.has(undefined) || ids.size !== entries.length) return undefined
  // Both groups are there whenever the pattern matches.
  return entries.map((match) => ({ id: match?.[1] ?? '', secret: new Secret(match?.[2] ?? '') }))
}, 'must be id:secret with commas between; ids of letters, digits and _ . - that differ, secrets of visible ASCII without commas')

export const secret = text.transform((input) => new Secret(input))

/** One or more URLs of the same deployment. They may hold a password, so each is a secret. */
export const redisUrls = form((input): readonly Secret[] | undefined => {
  const entries = split(input)
  if (entries.length === 0 || !entries.every(isRedisUrl)) return undefined
  return entries.map((entry) => new Secret(entry))
}, 'must be redis://host:port or rediss://…, with /number at the end for another database; of a Cluster, several with commas between')

/** Sentinels as URLs, whichever way they are written. */
export const sentinels = form((input): readonly Secret[] | undefined => {
  const entries = split(input).map((entry) => (entry.includes('://') ? entry : `redis://${entry}`))
  if (entries.length === 0 || !entries.every(isRedisUrl)) return undefined
  const access = entries.map((entry) => {
    const { protocol, username, password } = new URL(entry)
    return `${protocol}${username}:${password}`
  })
  if (new Set(access).size > 1) return undefined
  return entries.map((entry) => new Secret(entry))
}, 'must be host:port with commas between, or redis://user:password@host:port (rediss:// for TLS), all with the same user and password')

/** One or more certificates, as texts in PEM have them. */
export const certificates = form((input): string | undefined => {
  const found = input.match(CERTIFICATE) ?? []
  return found.length > 0 && found.every((each) => attempt(() => new X509Certificate(each)))
    ? input
    : undefined
}, 'must be certificates in PEM (-----BEGIN CERTIFICATE-----)')

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

export const privateKey = form(
  (input): Secret | undefined =>
    attempt(() => createPrivateKey(input)) ? new Secret(input) : undefined,
  'must be a private key in PEM (-----BEGIN PRIVATE KEY-----) without a passphrase',
)

export const httpsUrl = form((input) => {
  const url = URL.canParse(input) ? new URL(input) : null
  const local = url?.hostname === 'localhost' || url?.hostname === '127.0.0.1'
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && local)
  return url !== null && safe && url.username === '' && url.password === '' ? url.href : undefined
}, 'must be an https:// URL without credentials (http:// for localhost alone)')

/** Where messages are sent; by plain HTTP too, which the rules have a word about. */
export const webhookUrl = form((input) => {
  const url = URL.canParse(input) ? new URL(input) : null
  const known = url?.protocol === 'https:' || url?.protocol === 'http:'
  const bare = url?.username === '' && url.password === '' && url.hash === ''
  return url !== null && known && bare ? url.href : undefined
}, 'must be an http:// or https:// URL without credentials or a fragment')

const WEBHOOK_SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/

/** As Standard Webhooks writes them; several while one is changed. */
export const webhookSecrets = form((input): readonly Secret[] | undefined => {
  const entries = split(input)
  const keys = entries.map((entry) => Buffer.from(WEBHOOK_SECRET.exec(entry)?.[1] ?? '', 'base64'))
  if (entries.length === 0 || keys.some(({ length }) => length < 24 || length > 64)) {
    return undefined
  }
  return entries.map((entry) => new Secret(entry))
}, 'must be whsec_ and 24 to 64 bytes in base64, or several of that with commas between')

export const webhookEvents = form(
  (input): ReadonlySet<WebhookEvent> | undefined => {
    const known = new Map(WEBHOOK_EVENTS.map((event) => [event as string, event]))
    const events = split(input).map((entry) => known.get(entry))
    const named = events.filter((event) => event !== undefined)
    return named.length === events.length ? new Set(named) : undefined
  },
  `must be some of ${WEBHOOK_EVENTS.join(', ')}, with commas between`,
)

const MAX_DELAYS = 20

export const delays = form((input): readonly number[] | undefined => {
  const entries = split(input)
  const values = entries.map((entry) => (/^[0-9]{1,9}$/.test(entry) ? Number(entry) : 0))
  const good = values.length > 0 && values.length <= MAX_DELAYS && !values.includes(0)
  return good ? values : undefined
}, `must be 1 to ${MAX_DELAYS} whole numbers of milliseconds with commas between`)

function split(input: string): string[] {
  return input
    .split(/[,\r\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

function isOrigin(entry: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*,]+$/.test(entry)) return false
  if (!/^https?:/.test(entry)) return true
  return URL.canParse(entry) && new URL(entry).origin === entry
}

function isNetwork(entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  if (!/^[0-9]{1,3}$/.test(prefix)) return false
  return attempt(() =>
    new BlockList().addSubnet(address, Number(prefix), version === 6 ? 'ipv6' : 'ipv4'),
  )
}

function isRedisUrl(entry: string): boolean {
  if (!/^rediss?:\/\/./.test(entry) || !URL.canParse(entry)) return false
  const { hostname, pathname } = new URL(entry)
  return hostname !== '' && /^(\/[0-9]*)?$/.test(pathname)
}

function attempt(action: () => unknown): boolean {
  try {
    action()
    return true
  } catch {
    return false
  }
}
