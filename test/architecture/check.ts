import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path/posix'
import { importsOf, isMember, tokenize, type Token } from './source.ts'

interface Place {
  /** Folders (and root files) of src that files here may import, beside their own. */
  readonly ours: readonly string[]
  /** Runs in browsers, or takes the world as ports: no `node:` module. */
  readonly isomorphic?: true
  /** Has no clock, timer or randomness of its own. */
  readonly pure?: true
}

const server: Place = { ours: ['core', 'protocol', 'auth', 'observe'] }
const sdk = ['protocol', 'sdk', 'client', 'agent']

/** Who may import whom. A folder that is missing here may import nothing: add its row first. */
export const places: Readonly<Record<string, Place>> = {
  protocol: { ours: [], isomorphic: true, pure: true },
  core: { ours: ['protocol'], isomorphic: true, pure: true },
  store: { ours: ['core', 'protocol'] },
  auth: { ours: ['core', 'protocol'] },
  webhooks: { ours: ['core', 'protocol'] },
  observe: { ours: ['core', 'protocol'] },
  http: server,
  gateway: server,
  console: server,
  compat: server,
  // A guest of the server, whose agent is one like any other: it reaches the server over HTTP.
  demo: { ours: [...server.ours, 'agent'] },
  // What the client and the agent both take from the machine; protocol is pure, and may not.
  sdk: { ours: ['protocol'], isomorphic: true },
  client: { ours: sdk, isomorphic: true },
  agent: { ours: ['protocol', 'sdk'], isomorphic: true },
  react: { ours: ['protocol', 'sdk', 'client'], isomorphic: true },
  adapters: { ours: sdk },
  cli: { ours: sdk },
  // Files beside the composition root: settings and what the machine gives. Only it imports them.
  '.': { ours: ['core', 'protocol', 'auth'] },
  'server.ts': { ours: ['*'] },
  'main.ts': { ours: ['*'] },
  'serve.ts': { ours: ['*'] },
}

interface Owner {
  readonly folder: string
  /** Others that may use it, where the reason says why. */
  readonly also?: readonly string[]
  readonly reason: string
}

/** Each package that src may import: its one owner, and why it is not written by hand. */
export const owners: Readonly<Record<string, Owner>> = {
  ai: { folder: 'adapters/ai-sdk', reason: 'the types of who has it already: an optional peer' },
  ajv: { folder: 'http', reason: 'whether an answer fits the JSON Schema of its question' },
  fastify: { folder: 'http', reason: 'routes, limits and life cycle of the HTTP control plane' },
  ioredis: { folder: 'store/redis', reason: 'Redis with Cluster, Sentinel and RESP3' },
  jose: { folder: 'auth', reason: 'verifies and signs tokens, and reads key sets' },
  pino: { folder: 'observe', reason: 'structured logs that cost little' },
  'prom-client': {
    folder: 'observe/metrics',
    reason: 'the format of Prometheus, histograms, and what Node says of its process',
  },
  react: {
    folder: 'react',
    also: ['adapters'],
    reason: 'whoever renders with it has it: an optional peer',
  },
  ws: { folder: 'gateway', reason: 'WebSocket frames, compression and back-pressure' },
  zod: {
    folder: 'protocol',
    also: ['auth', '.', 'http'],
    reason:
      'one schema gives type and validation, at every edge: settings, claims, bodies and OpenAPI',
  },
}

/** In protocol, only the small build of zod: it ends up in browsers. */
const onlyAs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  protocol: { zod: 'zod/mini' },
}

/** Who may import a name that is computed, and why. */
const computedImports: Readonly<Record<string, string>> = {
  'client/load-code.ts': 'asks for the module beside it by another address, after a failure',
}

const forbiddenNames = new Map([
  ['setTimeout', 'timers are the Clock port'],
  ['setInterval', 'timers are the Clock port'],
  ['setImmediate', 'timers are the Clock port'],
  ['performance', 'time is the Clock port'],
  ['crypto', 'randomness is the Random port'],
  ['process', 'settings and exits belong to main.ts'],
  ['globalThis', 'it would reach every forbidden name'],
])
const forbiddenCalls = new Map([
  ['Date.now', 'time is the Clock port'],
  ['Math.random', 'randomness is the Random port'],
])

export interface Rules {
  /** The subpath indexes that package.json publishes, as paths within src: `client/index.ts`. */
  readonly published: ReadonlySet<string>
}

/** Every breach of the tables above by a file of src; `path` is relative to src, with slashes. */
export function breachesOf(path: string, source: string, rules: Rules): readonly string[] {
  const breaches: string[] = []
  const blame = (line: number, what: string): void => {
    breaches.push(`src/${path}:${line} ${what}`)
  }
  const place = placeOf(path)
  const row = places[place]
  if (row === undefined) {
    blame(1, `is in ${place}, which has no row in the import table`)
    return breaches
  }

  const tokens = tokenize(source)
  for (const { specifier, line, reexport } of importsOf(tokens)) {
    if (specifier === undefined) {
      if (computedImports[path] !== undefined) continue
      blame(line, 'imports a computed name, which nobody can check')
      continue
    }
    if (reexport && path.endsWith('index.ts') && !rules.published.has(path)) {
      blame(line, `is a barrel (re-exports ${specifier}); import the file itself`)
    }
    if (specifier.startsWith('.')) {
      const target = join(dirname(path), specifier)
      const breach = ourBreach(path, target, row)
      if (breach !== undefined) blame(line, breach)
    } else if (isBuiltin(specifier)) {
      if (row.isomorphic) blame(line, `imports ${specifier}; ${place} runs without Node`)
      else if (!specifier.startsWith('node:')) blame(line, `imports ${specifier} without node:`)
    } else {
      const breach = packageBreach(path, place, specifier)
      if (breach !== undefined) blame(line, breach)
    }
  }
  if (row.pure) {
    for (const [line, what] of impurities(tokens)) blame(line, what)
  }
  return breaches
}

/** A test file, or anything below test/: nothing may import it. */
export function isTest(path: string): boolean {
  return /(^|\/)test\/|\.test\.ts$/.test(path)
}

/** The row that a file falls under: its first folder; at the root of src its own, or that of `.`. */
function placeOf(path: string): string {
  const [first = path, ...rest] = path.split('/')
  return rest.length > 0 || places[first] !== undefined ? first : '.'
}

function ourBreach(path: string, target: string, row: Place): string | undefined {
  if (isTest(target)) return `imports ${target}; nothing imports a test`
  if (target.startsWith('..')) return `imports ${target}, outside src`
  const from = placeOf(path)
  const to = placeOf(target)
  if (from === to) return from === 'store' ? storeBreach(path, target) : undefined
  if (row.ours.includes(to) || row.ours.includes('*')) return undefined
  return `imports ${target}; ${from} may import ${row.ours.join(', ') || 'nothing of ours'}`
}

/** A store never imports another; only store/open.ts knows them all. */
function storeBreach(path: string, target: string): string | undefined {
  if (path === 'store/open.ts') return undefined
  const mine = storeOf(path)
  const theirs = storeOf(target)
  if (theirs === undefined || theirs === mine) return undefined
  return `imports ${target}; only store/open.ts may choose a store`
}

function storeOf(path: string): string | undefined {
  const [, name, inner] = path.split('/')
  if (inner !== undefined) return name
  return name === 'memory.ts' || name === 'open.ts' ? name : undefined
}

function packageBreach(path: string, place: string, specifier: string): string | undefined {
  const name = packageOf(specifier)
  const owner = owners[name]
  if (owner === undefined) return `imports ${name}, which has no owner in the table of packages`
  const users = [owner.folder, ...(owner.also ?? [])]
  if (!users.some((user) => place === user || path.startsWith(`${user}/`))) {
    return `imports ${name}; it belongs to ${users.join(', ')}`
  }
  const only = onlyAs[place]?.[name]
  return only === undefined || only === specifier
    ? undefined
    : `imports ${specifier}; ${place} uses ${only}`
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier)
}

function* impurities(tokens: readonly Token[]): Generator<readonly [number, string]> {
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word' || isMember(tokens, index)) continue
    const reason = forbiddenNames.get(token.text)
    if (reason !== undefined) yield [token.line, `uses ${token.text}; ${reason}`]
    const [dot, member] = tokens.slice(index + 1, index + 3)
    if (dot?.text === '.' || dot?.text === '?.') {
      const call = `${token.text}.${member?.text ?? ''}`
      const why = forbiddenCalls.get(call)
      if (why !== undefined) yield [token.line, `uses ${call}; ${why}`]
    }
    const isNew = tokens[index - 1]?.text === 'new'
    const noArgument = dot?.text === '(' ? member?.text === ')' : isNew
    if (token.text === 'Date' && (isNew ? noArgument : dot?.text === '(')) {
      yield [token.line, 'reads the time with Date; time is the Clock port']
    }
  }
}
