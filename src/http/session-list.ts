import { HeldlineError } from '../protocol/errors.ts'
import { sessionsAnswer } from '../protocol/http.ts'
import { ID_PATTERN, parseSessionId } from '../protocol/ids.ts'
import { parseSerial } from '../protocol/position.ts'
import type { LogHead } from '../core/store.ts'
import { sessionInfo, type Metadata, type SessionInfo } from '../core/transitions/session.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpPorts } from './ports.ts'
import { limitOf, limitParameter } from './query.ts'
import type { Route } from './route.ts'
import { sessionJson } from './sessions.ts'

type Ports = Pick<HttpPorts, 'sessions'>

const DEFAULT_PAGE = 50
/** Pages of the store that are looked through for one answer, where few of their sessions are asked for. */
const PAGES_A_REQUEST = 10

/** Finding sessions. [P-9.2] */
export function sessionListRoutes(ports: Ports, limits: HttpLimits): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/sessions',
      summary: 'List sessions',
      description:
        'A page of the sessions that the credentials reach, in an order that is stable but means nothing. A page may be short, even empty, and still have a cursor.',
      query: {
        limit: limitParameter(DEFAULT_PAGE, limits.sessionsPage),
        cursor: 'From the page before.',
        prefix: 'Only ids that begin so.',
        'metadata.':
          'metadata.<key>=<value>: only sessions whose metadata has this value, as text, under the key.',
      },
      answers: { 200: { about: 'A page.', schema: sessionsAnswer } },
      handle: (call) => list(call, ports, limits),
    },
  ]
}

async function list(call: Call, ports: Ports, limits: HttpLimits): Promise<Answer> {
  const query = call.query()
  const limit = limitOf(query.get('limit'), DEFAULT_PAGE, limits.sessionsPage)
  const walk = new Walk(call.grant.sessions, prefixOf(query.get('prefix')), query.get('cursor'))
  const wanted = [...query].filter(([name]) => name.startsWith('metadata.'))
  const found: object[] = []
  for (let pages = 0; pages < PAGES_A_REQUEST && found.length < limit && !walk.over; pages++) {
    const page = await look(walk.place, limit - found.length, ports)
    for (const { info, head } of page.sessions) {
      if (hasMetadata(info, wanted)) found.push(sessionJson(info, head))
    }
    walk.go(page.cursor)
  }
  return json({ sessions: found, cursor: walk.over ? null : walk.cursor })
}

interface Look {
  readonly sessions: readonly { readonly info: SessionInfo; readonly head: LogHead }[]
  readonly cursor: string | null
}

async function look({ pattern, cursor }: Place, limit: number, { sessions }: Ports): Promise<Look> {
  if (pattern.exact) return lookAt(pattern.prefix, sessions)
  const page = await sessions.list({ prefix: pattern.prefix, cursor, limit })
  const found = page.sessions.map(({ session, fields, head }) => ({
    info: sessionInfo(session, fields),
    head,
  }))
  return { sessions: found, cursor: page.cursor }
}

async function lookAt(id: string, sessions: Ports['sessions']): Promise<Look> {
  const session = parseSessionId(id)
  try {
    if (session === null) return { sessions: [], cursor: null }
    const [info, head] = await Promise.all([sessions.info(session), sessions.head(session)])
    return { sessions: [{ info, head }], cursor: null }
  } catch (error) {
    if (error instanceof HeldlineError && error.code === 'session_not_found')
      return { sessions: [], cursor: null }
    throw error
  }
}

function prefixOf(text: string | undefined): string {
  if (text === undefined || text === '' || ID_PATTERN.test(text)) return text ?? ''
  throw new HeldlineError(
    'invalid_request',
    'unable to list; prefix is not the beginning of a session id',
  )
}

function hasMetadata(
  { metadata }: SessionInfo,
  wanted: readonly (readonly [string, string])[],
): boolean {
  return wanted.every(([name, text]) => textOf(metadata, name.slice('metadata.'.length)) === text)
}

function textOf(metadata: Metadata, key: string): string | null {
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined
  if (typeof value === 'string') return value
  return value === undefined ? null : JSON.stringify(value)
}

interface Pattern {
  readonly prefix: string
  /** It is one id, and its prefix is that. */
  readonly exact: boolean
}

interface Place {
  readonly pattern: Pattern
  readonly cursor: string | null
}

/**
 * A walk through the sessions that some patterns reach, one pattern after the other: each is asked of the store by its own prefix, so that
 * neither a page nor a cursor ever comes near a session beyond them.
 */
class Walk {
  readonly #patterns: readonly Pattern[]
  #index = 0
  #inner: string | null = null

  constructor(patterns: readonly string[], prefix: string, cursor: string | undefined) {
    this.#patterns = narrowed(patterns, prefix)
    if (cursor === undefined) return
    const [, index = '', inner = ''] = /^([0-9]{1,4})\.(.{0,512})$/.exec(cursor) ?? []
    const start = parseSerial(index)
    if (start === null)
      throw new HeldlineError('invalid_request', 'unable to list; the cursor is not from a page')
    this.#index = start
    this.#inner = inner === '' ? null : inner
  }

  get over(): boolean {
    return this.#index >= this.#patterns.length
  }

  get cursor(): string {
    return `${this.#index}.${this.#inner ?? ''}`
  }

  /** While it is not over. */
  get place(): Place {
    const pattern = this.#patterns[this.#index]
    if (pattern === undefined) throw new Error('the walk is over')
    return { pattern, cursor: this.#inner }
  }

  go(inner: string | null): void {
    this.#inner = inner
    if (inner === null) this.#index++
  }
}

/** The patterns as prefixes, none within another, each at least as long as what is asked for. */
function narrowed(patterns: readonly string[], prefix: string): readonly Pattern[] {
  const all = patterns.toSorted().map((pattern) => {
    const exact = !pattern.endsWith('*')
    return { prefix: exact ? pattern : pattern.slice(0, -1), exact }
  })
  const apart = all.filter(
    (one, index) =>
      !all.some((other, at) => {
        const same = other.prefix === one.prefix && other.exact === one.exact
        if (same) return at < index
        return !other.exact && one.prefix.startsWith(other.prefix)
      }),
  )
  return apart.flatMap((one) => {
    if (one.prefix.startsWith(prefix)) return [one]
    return !one.exact && prefix.startsWith(one.prefix) ? [{ prefix, exact: false }] : []
  })
}
