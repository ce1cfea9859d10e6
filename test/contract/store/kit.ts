import { randomBytes } from 'node:crypto'
import { expect, vi } from 'vitest'
import type { Wake } from '../../../src/core/signals.ts'
import type {
  CommitRequest,
  CommitResult,
  Committed,
  LogHead,
  NewEvent,
  Store,
  StoredEvent,
} from '../../../src/core/store.ts'
import { encodeBody } from '../../../src/protocol/codec.ts'
import type { Epoch, ProducerId, SessionId, Tag } from '../../../src/protocol/ids.ts'
import type { OpenedStore } from '../store.ts'

// Values that have the form of their ids, so these casts are their parsers.
export const newSession = (prefix = 's'): SessionId =>
  `${prefix}-${randomBytes(9).toString('base64url')}` as SessionId
export const newEpoch = (): Epoch => randomBytes(15).toString('base64url').slice(0, 10) as Epoch
export const newTag = (): Tag => randomBytes(6).toString('base64url') as Tag
export const producer = (id: string): ProducerId => id as ProducerId

/** An event with this JSON text as data, remembered by `id` when that is given. */
export function event(rawData = '1', id?: string, fingerprint = 'f'): NewEvent {
  const body = encodeBody('x.test', id ?? 'e', { subject: 'key:test' }, rawData)
  return { tag: newTag(), body, ...(id !== undefined && { dedupe: { id, fingerprint } }) }
}

export const events = (count: number): NewEvent[] =>
  Array.from({ length: count }, (_, index) => event(String(index)))

export function committed(result: CommitResult): Committed {
  expect(result).toMatchObject({ outcome: 'committed' })
  return result as Committed
}

/** A new session, made by a commit with whatever else is asked. */
export async function create(
  store: Store,
  rest: Omit<CommitRequest, 'session' | 'create'> = {},
): Promise<{ session: SessionId; epoch: Epoch; committed: Committed }> {
  const session = newSession()
  const epoch = newEpoch()
  const result = await store.commit({ session, create: { epoch }, ...rest })
  return { session, epoch, committed: committed(result) }
}

export async function commit(store: Store, request: CommitRequest): Promise<Committed> {
  return committed(await store.commit(request))
}

export async function headOf(store: Store, session: SessionId): Promise<LogHead> {
  const [head] = await store.heads([session])
  if (head === null || head === undefined) throw new Error('there is no such session')
  return head
}

/** The whole log above the floor, by pages. */
export async function readAll(store: Store, session: SessionId): Promise<StoredEvent[]> {
  const all: StoredEvent[] = []
  for (let after = 0; ;) {
    const page = await store.read(session, { after, limit: 1000, maxBytes: 1 << 20 })
    const last = page?.events.at(-1)
    if (page === null || last === undefined) return all
    expect(last.serial, 'a page that was read before').toBeGreaterThan(after)
    all.push(...page.events)
    after = last.serial
  }
}

/** That a log is whole: dense serials up to the head, each linked to the tag before it, times that never fall. */
export function expectChain(log: readonly StoredEvent[], head: LogHead): void {
  let before = { serial: head.floor, tag: head.floorTag, at: 0 }
  for (const event of log) {
    expect({ serial: event.serial, prev: event.prev }).toEqual({
      serial: before.serial + 1,
      prev: before.tag,
    })
    expect(event.at).toBeGreaterThanOrEqual(before.at)
    before = event
  }
  expect({ serial: before.serial, tag: before.tag }).toEqual({ serial: head.head, tag: head.tag })
}

/** All that can be seen of a session, to show that a refusal changed nothing. */
export async function snapshot(store: Store, session: SessionId, names: readonly string[] = []) {
  const page = await store.read(session, { after: 0, limit: 1000, maxBytes: 1 << 20 })
  const [head] = await store.heads([session])
  return { page, head, fields: await store.fields(session, names) }
}

/** What a deadline really is, asked without changing anything. */
export async function deadlineOf(
  store: Store,
  session: SessionId,
  deadline: string,
): Promise<number | null> {
  const result = await store.commit({ session, guards: [{ deadline, at: -1 }] })
  if (result.outcome !== 'conflict') throw new Error(`expected a conflict; got ${result.outcome}`)
  return result.deadlines.get(deadline) ?? null
}

/** Asks again and again until the assertion holds: for what comes by another connection or by time. */
export function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(assertion, { timeout: 5000, interval: 5 })
}

/** Everything that a subscriber of the session hears from now on; ready once it surely hears. */
export async function listen({ signals }: OpenedStore, session: SessionId) {
  const heard: Wake[] = []
  let probed = false
  const subscription = signals.subscribe(session, (wake) => {
    if (wake.kind === 'signal' && wake.payload === 'probe') probed = true
    else heard.push(wake)
  })
  await eventually(() => {
    signals.send(session, 'probe')
    expect(probed).toBe(true)
  })
  return { heard, close: () => subscription.close() }
}
