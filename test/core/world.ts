import { objectMembers } from '../../src/protocol/json.ts'
import type { Grant } from '../../src/core/access.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import type { SessionSettings } from '../../src/core/transitions/session.ts'
import { draft, type Draft } from '../../src/core/new-event.ts'
import { CAPABILITIES } from '../../src/protocol/capabilities.ts'
import { HeldlineError, type ErrorCode } from '../../src/protocol/errors.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { FakeAuthenticator, SimNode } from '../support/sim-node.ts'

export const SESSION = 'demo' as SessionId
export const BY = { subject: 'key:test' }
export const NO_LIMITS: SessionSettings = {
  ttlMs: null,
  retention: { maxAgeMs: null, maxEvents: null, maxBytes: null },
}

/** Several nodes on one perfect store, in virtual time. */
export class World {
  readonly clock = new FakeClock()
  readonly random = new FakeRandom(1)
  readonly signals = new LocalSignals()
  readonly store = new MemoryStore(this.signals, () => this.clock.now())
  readonly authenticator = new FakeAuthenticator()
  readonly limits: Limits
  readonly nodes: SimNode[] = []

  constructor(limits: Partial<Limits> = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...limits }
  }

  node(ports: Partial<ConstructorParameters<typeof SimNode>[0]> = {}): SimNode {
    const { store, signals, clock, random, limits, authenticator } = this
    const node = new SimNode({ store, signals, clock, random, limits, authenticator, ...ports })
    this.nodes.push(node)
    return node
  }

  async session(settings = NO_LIMITS, session = SESSION): Promise<void> {
    const [node = this.node()] = this.nodes
    await node.sessions.open({ session, metadata: {}, settings, by: BY })
  }

  /** Every event that the log still holds. */
  async log(session = SESSION): Promise<WireEvent[]> {
    const all: WireEvent[] = []
    for (;;) {
      const range = { after: all.at(-1)?.serial ?? 0, limit: 1000, maxBytes: 1e9 }
      const events = (await this.store.read(session, range))?.events ?? []
      if (events.length === 0) return all
      all.push(...events.map((event) => JSON.parse(event.text) as WireEvent))
    }
  }

  async types(session = SESSION): Promise<string[]> {
    return (await this.log(session)).map((event) => event.type)
  }

  async field(name: string, session = SESSION): Promise<string | null> {
    return (await this.store.fields(session, [name]))?.get(name) ?? null
  }
}

export function grant(change: Partial<Grant> = {}): Grant {
  return {
    subject: 'ada',
    kind: 'human',
    sessions: ['*'],
    capabilities: new Set(CAPABILITIES),
    expiresAt: null,
    ...change,
  }
}

/** A draft as the faces make it, from an event's type and data. */
export function drafted(type: string, data: unknown = {}, id?: string): Draft {
  const envelope = { type, data, ...(id !== undefined && { id }) }
  return draft(envelope, objectMembers(JSON.stringify(envelope)), 64 * 1024)
}

/** The code that a promise was refused with; `null`: it was not. */
export async function refusal(promise: Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await promise
    return null
  } catch (error) {
    if (error instanceof HeldlineError) return error.code
    throw error
  }
}
