import { afterEach, expect } from 'vitest'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { keysOf } from '../../src/store/redis/keys.ts'
import type { RedisStoreOptions } from '../../src/store/redis/open.ts'
import { eventually, listen } from '../contract/store/kit.ts'
import { type RedisServer, type RedisSettings, startRedis } from './redis-server.ts'
import { openOn } from './redis-store.ts'
import { startProxy } from './tcp-proxy.ts'

// What a test of Redis opens is closed when the test is over.
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

export async function server(settings: RedisSettings = {}): Promise<RedisServer> {
  const started = await startRedis(settings)
  cleanups.push(() => started.stop())
  return started
}

export async function proxyOf(port: number) {
  const proxy = await startProxy(port)
  cleanups.push(() => proxy.close())
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

export const codeOf = (error: unknown): string =>
  error instanceof HeldlineError ? error.code : String(error)
/** A commit's outcome, or the code of its error. */
export const outcome = (work: Promise<{ readonly outcome: string }>): Promise<string> =>
  work.then((result) => result.outcome, codeOf)

/** Where a session's record stands; its log and indexes are beside it. */
export function recordKey(session: string): string {
  return keysOf(session as SessionId).record
}
