import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Grant } from '../core/access.ts'
import type { Log } from '../core/log.ts'
import type { Secret } from '../core/secret.ts'
import { parseSessionId } from '../protocol/ids.ts'
import { DemoAgent } from './agent.ts'
import { AgentApi } from './api.ts'
import { CLIENT_ENTRY, clientModule } from './library.ts'
import { modelFromEnvironment } from './model.ts'
import type { Mount, MountRequest, MountResponse } from './mount.ts'

export interface DemoSettings {
  readonly apiKeys: readonly { readonly id: string; readonly secret: Secret }[]
}

/** Makes the tokens of the demo's visitors. */
export interface VisitorTokens {
  mint(
    minter: Grant,
    request: {
      readonly subject: string
      readonly sessions: string[]
      readonly capabilities: ('subscribe' | 'history' | 'send' | 'signal' | 'presence')[]
      readonly kind: 'human'
      readonly ttlMs: number
    },
  ): Promise<{ readonly token: string; readonly expiresAt: number }>
}

export interface Demo {
  readonly mounts: readonly Mount[]
  /** Once the server listens: the agent talks to it over HTTP like any other. */
  start(url: string): void
  close(): Promise<void>
}

const PREFIX = 'demo-'
const TOKEN_MS = 15 * 60_000
const ASSETS = {
  'page.css': 'text/css',
  'page.js': 'text/javascript',
  'prompts.js': 'text/javascript',
  'run.js': 'text/javascript',
  'view.js': 'text/javascript',
  'network.js': 'text/javascript',
} as const

/** The page at `/demo`, and the agent that answers on it. Open to whoever reaches the server: for machines of one's own. */
export function createDemo(settings: DemoSettings, tokens: VisitorTokens, log: Log): Demo {
  let agent: DemoAgent | null = null
  let api: AgentApi | null = null
  const join = async (request: MountRequest): Promise<MountResponse> => {
    const wanted = joinRequest(request.body)
    const session = wanted.session ?? `${PREFIX}${randomUUID()}`
    await api?.open(session)
    agent?.follow(session)
    const subject = wanted.visitor ?? `visitor-${randomUUID().slice(0, 8)}`
    const { token, expiresAt } = await tokens.mint(MINTER, visitor(subject, session))
    return json({ session, visitor: subject, token, expiresAt, model: agent?.model ?? null })
  }
  return {
    mounts: [
      { method: 'GET', path: '/', handle: () => Promise.resolve(redirect('/demo')) },
      { method: 'GET', path: '/demo', handle: page },
      { method: 'GET', path: '/demo/assets/*', handle: (request) => asset(request.path) },
      {
        method: 'GET',
        path: '/demo/lib/*',
        handle: async (request) => (await clientModule(request.path)) ?? NOT_FOUND,
      },
      { method: 'POST', path: '/demo/join', handle: join },
    ],
    start: (url) => {
      const [key] = settings.apiKeys
      if (key === undefined) return
      api = new AgentApi(url, `${key.id}:${key.secret.reveal()}`)
      agent = new DemoAgent(api, modelFromEnvironment(process.env), log)
      void agent.resume(PREFIX)
    },
    close: async () => agent?.close(),
  }
}

/** The demo mints for its visitors as the server itself. */
const MINTER: Grant = {
  subject: 'key:demo',
  kind: 'any',
  sessions: [`${PREFIX}*`],
  capabilities: new Set(['tokens', 'subscribe', 'history', 'send', 'signal', 'presence'] as const),
  expiresAt: null,
}

function visitor(subject: string, session: string) {
  return {
    subject,
    sessions: [session],
    capabilities: ['subscribe', 'history', 'send', 'signal', 'presence'] as (
      | 'subscribe'
      | 'history'
      | 'send'
      | 'signal'
      | 'presence'
    )[],
    kind: 'human' as const,
    ttlMs: TOKEN_MS,
  }
}

/** What a page wants back: only sessions and visitors of the demo can be had here. */
function joinRequest(body: string): {
  readonly session: string | null
  readonly visitor: string | null
} {
  try {
    const { session, visitor: name } = JSON.parse(body) as { session?: unknown; visitor?: unknown }
    const id = parseSessionId(session)
    return {
      session: id?.startsWith(PREFIX) === true ? id : null,
      visitor: typeof name === 'string' && /^visitor-[0-9a-f]{8}$/.test(name) ? name : null,
    }
  } catch {
    // A page that comes for the first time sends nothing.
    return { session: null, visitor: null }
  }
}

async function page(): Promise<MountResponse> {
  const html = await readFile(new URL('./static/page.html', import.meta.url), 'utf8')
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; img-src data:; base-uri 'none'; form-action 'none'",
      'referrer-policy': 'no-referrer',
    },
    body: html.replaceAll('{{client}}', CLIENT_ENTRY),
  }
}

async function asset(path: string): Promise<MountResponse> {
  const name = path.slice('/demo/assets/'.length)
  if (!Object.hasOwn(ASSETS, name)) return NOT_FOUND
  const body = await readFile(new URL(`./static/${name}`, import.meta.url), 'utf8')
  // The table was asked just above.
  const type = ASSETS[name as keyof typeof ASSETS]
  return {
    status: 200,
    headers: { 'content-type': `${type}; charset=utf-8` },
    body: body.replaceAll('{{client}}', CLIENT_ENTRY),
  }
}

const NOT_FOUND: MountResponse = {
  status: 404,
  headers: { 'content-type': 'text/plain' },
  body: 'There is nothing here.',
}

function redirect(to: string): MountResponse {
  return { status: 302, headers: { location: to }, body: '' }
}

function json(body: unknown): MountResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
}
