import { once } from 'node:events'
import { createServer } from 'node:http'
import { ApiKeys } from '../../src/auth/api-keys.ts'
import { CredentialAuthenticator } from '../../src/auth/authenticator.ts'
import { originRule } from '../../src/auth/origins.ts'
import { Tickets } from '../../src/auth/tickets.ts'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import type { Authenticator } from '../../src/core/access.ts'
import { Deliveries } from '../../src/core/deliveries.ts'
import { Hub } from '../../src/core/hub.ts'
import { Keeper } from '../../src/core/keeper.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import type { Log } from '../../src/core/log.ts'
import { draft } from '../../src/core/new-event.ts'
import { Presence } from '../../src/core/presence.ts'
import { Runs } from '../../src/core/runs.ts'
import { Secret } from '../../src/core/secret.ts'
import { Sessions } from '../../src/core/sessions.ts'
import { Views } from '../../src/core/views.ts'
import { clientAddress } from '../../src/gateway/client-address.ts'
import type { AddressBounds } from '../../src/gateway/address-limits.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { parseSessionId, type SessionId } from '../../src/protocol/ids.ts'
import { objectMembers } from '../../src/protocol/json.ts'
import { formatPosition } from '../../src/protocol/position.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'

export const KEY = 'agent:the-secret-of-the-key'
export const TOKEN_SECRET = 'the-secret-of-tokens-has-32-bytes!!'
export const ORIGIN = 'https://app.example.com'

export interface GatewayServer {
  readonly port: number
  /** What was logged as our own mistake: nothing, whatever comes in. */
  readonly errors: readonly unknown[]
  /** What the operator was told. */
  readonly warnings: readonly unknown[]
  readonly tickets: Tickets
  /** Makes a session. @returns its position */
  open(session: string): Promise<string>
  append(session: string, data: unknown): Promise<number>
  connections(): number
  drain(overMs: number): Promise<void>
  close(): Promise<void>
}

export interface GatewayServerOptions {
  readonly limits?: Partial<Limits>
  /** In the place of the real one: to hold a handshake. */
  readonly authenticator?: Authenticator
  readonly maxConnections?: number
  readonly maxHandshakes?: number
  readonly perAddress?: AddressBounds
}

/** The WebSocket face over a real port and a store in memory, without the HTTP face. */
export async function startGateway(options: GatewayServerOptions = {}): Promise<GatewayServer> {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, () => clock.now())
  const errors: unknown[] = []
  const warnings: unknown[] = []
  const log: Log = {
    info: () => undefined,
    warn: (event, fields) => warnings.push({ event, ...fields }),
    error: (event, fields) => errors.push({ event, ...fields }),
  }
  const ports = { clock, random, limits, signals, store, log }
  const views = new Views(store, limits)
  const hub = new Hub(ports)
  const keeper = new Keeper({ ...ports, views })
  const presence = new Presence(ports)
  const deliveries = new Deliveries({ ...ports, views })
  const sessions = new Sessions({ ...ports, keeper, deliveries })
  const tickets = new Tickets(store, random, () => clock.now())
  const authenticator = options.authenticator ?? credentials(tickets, clock)
  const http = createServer((_, response) => response.writeHead(426).end())
  const gateway = new Gateway(http, {
    ...ports,
    views,
    hub,
    presence,
    sessions,
    runs: new Runs({ ...ports, views, keeper }),
    authenticator,
    maxConnections: options.maxConnections ?? 1000,
    ...(options.maxHandshakes !== undefined && { maxHandshakes: options.maxHandshakes }),
    allowsOrigin: originRule([ORIGIN], true),
    ...(options.perAddress !== undefined && { perAddress: options.perAddress }),
    // Tests say by X-Forwarded-For where they come from.
    addressOf: clientAddress(['127.0.0.1']),
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const by = { subject: 'key:agent' }

  return {
    port: address.port,
    errors,
    warnings,
    tickets,
    open: async (name) => {
      const session = idOf(name)
      const settings = {
        ttlMs: null,
        retention: { maxAgeMs: null, maxEvents: null, maxBytes: null },
      }
      await sessions.open({ session, by, metadata: {}, settings })
      const head = await sessions.head(session)
      return formatPosition({ epoch: head.epoch, serial: head.head, tag: head.tag })
    },
    append: async (name, data) => {
      const envelope = { type: 'x.note', data }
      const one = draft(envelope, objectMembers(JSON.stringify(envelope)), limits.maxEventBytes)
      const done = await sessions.append({ session: idOf(name), drafts: [one], by })
      return done.serials[0] ?? 0
    },
    connections: () => gateway.size,
    drain: (overMs) => gateway.drain(overMs),
    close: async () => {
      gateway.close()
      http.closeAllConnections()
      http.close()
      presence.close()
      keeper.close()
      hub.close()
      await store.close()
    },
  }
}

function credentials(tickets: Tickets, clock: SystemClock): Authenticator {
  const [id = '', secret = ''] = KEY.split(':')
  return new CredentialAuthenticator({
    keys: new ApiKeys([{ id, secret: new Secret(secret) }]),
    tokens: new TokenVerifier({
      secret: new Secret(TOKEN_SECRET),
      keySet: null,
      issuer: null,
      clock,
    }),
    tickets,
  })
}

function idOf(text: string): SessionId {
  const session = parseSessionId(text)
  if (session === null) throw new Error(`not a session id: ${text}`)
  return session
}
