import { hash, randomBytes } from 'node:crypto'
import * as z from 'zod'
import type { Grant } from '../core/access.ts'
import { internalSession } from '../core/internal-session.ts'
import type { Random } from '../core/random.ts'
import type { CommitRequest, DueDeadline, FieldWrite, Store } from '../core/store.ts'
import { CAPABILITIES, MEMBER_KINDS } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import { refusal } from './refusal.ts'

export const MAX_TICKET_MS = 60_000

export interface TicketRequest {
  /** The only origin that may redeem it; `null`: any. */
  readonly origin: string | null
  /** At most MAX_TICKET_MS, which is also the default. */
  readonly ttlMs?: number
}

export interface Ticket {
  readonly ticket: string
  /** Milliseconds since 1970, by this node's clock; the store's decides. */
  readonly expiresAt: number
}

/**
 * Opaque credentials for one connection, for clients that can only give an address. [P-6.3] A ticket is a field of one of sixteen internal
 * sessions, named by its digest, so that any node can redeem it; the field is removed by a guarded commit, so that only one ever does.
 * Its deadline is both its end, by the store's clock, and what clears it when nobody came.
 */
export class Tickets {
  readonly #store: Store
  readonly #random: Random
  readonly #now: () => number

  constructor(store: Store, random: Random, now: () => number) {
    this.#store = store
    this.#random = random
    this.#now = now
  }

  /** A ticket for whoever holds the grant; it ends no later than the grant. */
  async issue(grant: Grant, request: TicketRequest): Promise<Ticket> {
    const now = this.#now()
    const left = grant.expiresAt === null ? MAX_TICKET_MS : grant.expiresAt - now
    const ttlMs = Math.min(request.ttlMs ?? MAX_TICKET_MS, MAX_TICKET_MS, left)
    if (ttlMs <= 0) throw refusal('invalid_token', 'expired')
    const ticket = randomBytes(TICKET_BYTES).toString('base64url')
    const { session, name } = placeOf(ticket)
    await this.#write(session, {
      writes: [{ field: name, value: encodeTicket(grant, request.origin) }],
      deadlines: [{ deadline: name, inMs: ttlMs }],
    })
    return { ticket, expiresAt: now + ttlMs }
  }

  /** @throws HeldlineError `invalid_token`; what the store throws, and then the ticket must be taken as used */
  async redeem(ticket: string, origin: string | null): Promise<Grant> {
    if (!TICKET.test(ticket)) throw refusal('invalid_token', 'malformed')
    const { session, name } = placeOf(ticket)
    const found = await this.#look(session, name)
    if (found === null) throw refusal('invalid_token', 'ticket')
    const removed = await this.#store.commit({
      session,
      guards: [
        { field: name, equals: found.value },
        { deadline: name, at: found.at },
      ],
      ...clear(name),
    })
    if (removed.outcome !== 'committed' || removed.at >= found.at)
      throw refusal('invalid_token', 'ticket')
    const { grant, origin: bound } = decodeTicket(found.value)
    if (bound !== null && bound !== origin) throw refusal('invalid_token', 'origin')
    if (grant.expiresAt !== null && grant.expiresAt <= this.#now())
      throw refusal('invalid_token', 'expired')
    return grant
  }

  /** A guard that never holds: the conflict tells what the field and the deadline are, in one trip and without a change. */
  async #look(session: SessionId, name: string): Promise<{ value: string; at: number } | null> {
    const result = await this.#store.commit({
      session,
      guards: [
        { field: name, equals: '' },
        { deadline: name, at: null },
      ],
    })
    if (result.outcome !== 'conflict') return null
    const value = result.fields.get(name) ?? null
    const at = result.deadlines.get(name) ?? null
    return value === null || at === null ? null : { value, at }
  }

  /** The sessions are made when they are first needed; two nodes may try at once. */
  async #write(
    session: SessionId,
    change: Omit<CommitRequest, 'session' | 'create'>,
  ): Promise<void> {
    for (const create of [undefined, { epoch: this.#random.epoch() }, undefined]) {
      const result = await this.#store.commit({ session, ...(create && { create }), ...change })
      if (result.outcome === 'committed') return
    }
    throw new HeldlineError('contention', 'unable to issue a ticket; try again')
  }
}

const PREFIX = 'ticket:'

/** Whether a deadline that is due is one of ours. */
export function isTicketDeadline(due: DueDeadline): boolean {
  return due.deadline.startsWith(PREFIX)
}

/** For the sweeper: forgets a ticket that nobody redeemed. Any number of nodes may do it at once. */
export async function expireTicket(store: Store, due: DueDeadline): Promise<void> {
  await store.commit({
    session: due.session,
    guards: [{ deadline: due.deadline, at: due.at }],
    ...clear(due.deadline),
  })
}

const TICKET_BYTES = 32
const TICKET = /^[A-Za-z0-9_-]{43}$/

/** Only the digest is stored: who reads the store can redeem nothing. */
function placeOf(ticket: string): { session: SessionId; name: string } {
  const digest = hash('sha256', ticket, 'hex')
  return { session: internalSession(`~tickets-${digest.slice(0, 1)}`), name: `${PREFIX}${digest}` }
}

function clear(name: string): Required<Pick<CommitRequest, 'writes' | 'deadlines'>> {
  const write: FieldWrite = { field: name, value: null }
  return { writes: [write], deadlines: [{ deadline: name, inMs: null }] }
}

const storedSchema = z.object({
  origin: z.string().nullable(),
  subject: z.string(),
  kind: z.enum([...MEMBER_KINDS, 'any']),
  name: z.string().optional(),
  sessions: z.array(z.string()),
  capabilities: z.array(z.enum(CAPABILITIES)),
  expiresAt: z.number().nullable(),
  token: z.object({ jti: z.string().nullable(), issuedAt: z.number() }).optional(),
})

function encodeTicket(grant: Grant, origin: string | null): string {
  return JSON.stringify({ ...grant, capabilities: [...grant.capabilities], origin })
}

function decodeTicket(text: string): { grant: Grant; origin: string | null } {
  const { origin, capabilities, name, token, ...rest } = storedSchema.parse(JSON.parse(text))
  const grant = {
    ...rest,
    ...(name !== undefined && { name }),
    ...(token !== undefined && { token }),
    capabilities: new Set(capabilities),
  }
  return { grant: Object.freeze(grant), origin }
}
