import { afterEach, expect } from 'vitest'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { keysOf } from '../../src/store/redis/keys.ts'
import type { RedisStoreOptions } from '../../src/store/redis/open.ts'
import { commit, event, events, eventually, listen } from '../contract/store/kit.ts'
import { type RedisServer, type RedisSettings, startRedis } from './redis-server.ts'
import { openOn } from './redis-store.ts'
import { startProxy } from './tcp-proxy.ts'

// What a test of Redis opens is closed when the test is over.
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Stopped when the test is over. */
export async function kept<Started extends { stop(): Promise<void> }>(
  starting: Promise<Started>,
): Promise<Started> {
  const started = await starting
  cleanups.push(() => started.stop())
  return started
}

export function server(settings: RedisSettings = {}): Promise<RedisServer> {
  return kept(startRedis(settings))
}

export function closedAfter(opened: { close(): Promise<void> }): void {
  cleanups.push(() => opened.close())
}

export async function proxyOf(port: number) {
  const proxy = await startProxy(port)
  closedAfter(proxy)
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` }
}

export async function open(url: string, options: Partial<RedisStoreOptions> = {}) {
  const opened = await openOn(url, options)
  cleanups.push(() => opened.store.close())
  return { ...opened, close: () => opened.store.close() }
}

type Opened = Awaited<ReturnType<typeof open>>

/** Listens on one node, until what another one sends is surely heard. */
export async function listenFrom(there: Opened, here: Opened, session: SessionId) {
  const listening = await listen(there, session)
  await eventually(() => {
    here.signals.send(session, 'across')
    expect(listening.heard.length).toBeGreaterThan(0)
  })
  here.signals.send(session, 'last')
  await eventually(() => expect(listening.heard.at(-1)).toMatchObject({ payload: 'last' }))
  listening.heard.length = 0
  return listening
}

/** Commits one event, and keeps what was acknowledged: its tag by its serial. It may be stored, but not confirmed, while a primary has no replica. */
export async function appendOne(
  store: Opened['store'],
  session: SessionId,
  acknowledged: Map<number, string>,
): Promise<void> {
  const one = event()
  try {
    const { first } = await commit(store, { session, events: [one] })
    acknowledged.set(first, one.tag)
  } catch (error) {
    if (codeOf(error) !== 'durability_timeout') throw error
  }
}

/** That a node hears what another one sends and commits. */
export async function hearsFrom(
  { heard }: Awaited<ReturnType<typeof listen>>,
  { store, signals }: Opened,
  session: SessionId,
  text: string,
): Promise<void> {
  await eventually(() => {
    signals.send(session, text)
    expect(heard.at(-1)).toEqual({ kind: 'signal', payload: text })
  })
  const hears = async (): Promise<void> => {
    const { last } = await commit(store, { session, events: events(1) })
    // A signal that was sent once more may come behind it.
    const committed = expect.objectContaining({ kind: 'committed', last })
    await eventually(() => expect(heard).toContainEqual(committed))
  }
  // One wake-up may be lost: where the subscription follows its slot to another node just then.
  await hears().catch(hears)
}

export const codeOf = (error: unknown): string =>
  error instanceof HeldlineError ? error.code : String(error)
/** A commit's outcome, or the code of its error. */
export const outcome = (work: Promise<{ readonly outcome: string }>): Promise<string> =>
  work.then((result) => result.outcome, codeOf)

/** Where a session's record stands; its log and indexes are beside it. */
export function recordKey(session: string): string {
  return keysOf(session as SessionId).record
}
