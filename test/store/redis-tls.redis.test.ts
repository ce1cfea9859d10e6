import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/load-config.ts'
import { startServer } from '../../src/server.ts'
import type { RedisStoreOptions } from '../../src/store/redis/open.ts'
import {
  commit,
  create,
  events,
  eventually,
  expectChain,
  headOf,
  readAll,
} from '../contract/store/kit.ts'
import { createAuthority, pemFolder, type Identity } from '../support/certificates.ts'
import { freePort } from '../support/free-port.ts'
import { closedAfter, kept, listenFrom, open, server } from '../support/redis-case.ts'
import { startSentinel } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'

const PASSWORD = 'a-password-that-nobody-may-read'
const authority = createAuthority()
const other = createAuthority('Another authority')
const tls = { ca: authority.cert }

/** A real Redis that speaks TLS at one port, for the name `localhost`, beside the plain port that tests ask at. */
async function tlsRedis(settings: Record<string, string> = {}) {
  const port = await freePort()
  const redis = await server({ ...(await identity(port)), ...settings })
  return { redis, port, url: `rediss://localhost:${port}` }
}

/** What Redis is told, so that it speaks TLS for the name `localhost`. */
async function identity(port: number): Promise<Record<string, string>> {
  const { cert, key } = authority.issue('localhost')
  const files = await kept(Promise.resolve(pemFolder()))
  return {
    'tls-port': `${port}`,
    'tls-ca-cert-file': files.write('ca', authority.cert),
    'tls-cert-file': files.write('cert', cert),
    'tls-key-file': files.write('key', key),
    'tls-auth-clients': 'no',
  }
}

/** Lines of a log, as one text. */
function written() {
  const lines: string[] = []
  const write = (event: string, fields: unknown): void => {
    lines.push(JSON.stringify([event, fields], (_, value: unknown) => plain(value)))
  }
  return {
    log: { info: write, warn: write, error: write },
    text: () => lines.join('\n'),
  }
}

const plain = (value: unknown): unknown =>
  value instanceof Error ? inspect(value, { depth: 9 }) : value

const refusal = async (url: string, options: Partial<RedisStoreOptions>): Promise<string> => {
  try {
    const { store } = await openOn(url, options)
    await store.close()
    return 'opened'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe('a Redis that speaks TLS', () => {
  it('is a store like any other where its authority is known, with commits, reads and wake-ups, also after it is back', async () => {
    const { redis, url } = await tlsRedis()
    const [here, there] = [await open(url, { tls }), await open(url, { tls })]
    const { session } = await create(here.store, { events: events(1) })
    const listening = await listenFrom(there, here, session)
    await commit(here.store, { session, events: events(3) })
    await eventually(() =>
      expect(listening.heard).toContainEqual(expect.objectContaining({ kind: 'committed' })),
    )
    expectChain(await readAll(there.store, session), await headOf(there.store, session))
    await redis.restart()
    await eventually(async () => expect((await headOf(there.store, session)).head).toBe(4))
  })

  it('is refused at once where another authority vouches for it, where none of ours does, and where it has another name', async () => {
    const { url, port } = await tlsRedis()
    const began = performance.now()
    expect(await refusal(url, { tls: { ca: other.cert } })).toMatch(
      /cannot be reached: the authority of its certificate is not one of REDIS_CA \([A-Z_]+\)$/,
    )
    expect(await refusal(url, {})).toContain('not one of REDIS_CA')
    expect(await refusal(`rediss://127.0.0.1:${port}`, { tls })).toMatch(
      /another host than REDIS_URL names \(ERR_TLS_CERT_ALTNAME_INVALID\)$/,
    )
    // Each would otherwise be tried for ten seconds.
    expect(performance.now() - began).toBeLessThan(20_000)
  })

  it('and asks for a certificate gets ours, and refuses us without one', async () => {
    const { url } = await tlsRedis({ 'tls-auth-clients': 'yes' })
    const shown = (identity: Identity) => ({ tls: { ...tls, ...identity } })
    expect(await refusal(url, { tls })).toContain('set REDIS_CLIENT_CERT and REDIS_CLIENT_KEY')
    expect(await refusal(url, shown(other.issue('heldline')))).toContain(
      'it ends the TLS handshake',
    )
    expect(await refusal(url, shown(authority.issue('heldline')))).toBe('opened')
  })

  it('may be known to Sentinels that speak TLS, too', async () => {
    const { port } = await tlsRedis()
    const told = await freePort()
    const more = Object.entries({
      ...(await identity(told)),
      'tls-replication': 'yes',
      'sentinel resolve-hostnames': 'yes',
      'sentinel announce-hostnames': 'yes',
    }).map(([name, value]) => `${name} ${value}`)
    await kept(startSentinel({ port }, { host: 'localhost', more }))
    const urls = [`rediss://localhost:${told}`]
    const place = { sentinel: { name: 'main', urls }, tls }
    const { store } = await open('rediss://unused', place)
    const { session } = await create(store, { events: events(2) })
    expect(await readAll(store, session)).toHaveLength(2)
    const strange = { ...place, tls: { ca: other.cert } }
    expect(await refusal('rediss://unused', strange)).toMatch(/not one of REDIS_CA \([A-Z_]+\)$/)
  })

  it('may be a Cluster whose nodes are known by name', async () => {
    const { redis, url } = await tlsRedis({
      'cluster-enabled': 'yes',
      'tls-cluster': 'yes',
      'cluster-port': `${await freePort()}`,
      'cluster-announce-hostname': 'localhost',
      'cluster-preferred-endpoint-type': 'hostname',
    })
    await redis.ask('cluster', 'addslotsrange', '0', '16383')
    await eventually(async () =>
      expect(await redis.ask('cluster', 'info')).toContain('cluster_state:ok'),
    )
    const cluster = { cluster: true, tls } as const
    const [here, there] = [await open(url, cluster), await open(url, cluster)]
    const { session } = await create(here.store, { events: events(2) })
    await listenFrom(there, here, session)
    expect(await readAll(there.store, session)).toHaveLength(2)
    expect(await refusal(url, { cluster: true, tls: { ca: other.cert } })).toContain(
      'not one of REDIS_CA',
    )
  })
})

describe('a server on a Redis that speaks TLS', () => {
  async function settings(port: number, password: string, ca: string) {
    const files = await kept(Promise.resolve(pemFolder()))
    return loadConfig({
      NODE_ENV: 'production',
      API_KEYS: 'agent:n7Jq0wVbXcR2tYpLs9KdFgHaZxM4uE6i',
      TOKEN_SECRET: 'Qm3Wn8Rb5Vt1Yc7Ux2Zl9Kp4Jh6Gf0Sd',
      HOST: '127.0.0.1',
      PORT: '0',
      REDIS_URL: `rediss://default:${password}@localhost:${port}/0`,
      REDIS_CA_FILE: files.write('ca', ca),
    }).config
  }

  it('starts with the authority that REDIS_CA_FILE names, and does not with another, or with a wrong password; no line holds the password', async () => {
    const { redis, port } = await tlsRedis()
    await redis.ask('config', 'set', 'requirepass', PASSWORD)
    const { log, text } = written()
    const started = await startServer(await settings(port, PASSWORD, authority.cert), log)
    closedAfter(started)
    expect((await fetch(`${started.url}/readyz`)).status).toBe(200)

    const strange = startServer(await settings(port, PASSWORD, other.cert), log)
    await expect(strange).rejects.toThrow(/not one of REDIS_CA/)
    const wrong = startServer(await settings(port, `${PASSWORD}-not`, authority.cert), log)
    await expect(wrong).rejects.toThrow(/it refuses the user or password \(WRONGPASS\)/)

    expect(text()).toContain('redis.connection_error')
    expect(text()).not.toContain(PASSWORD)
    for (const attempt of [strange, wrong]) {
      const said = await attempt.catch((error: unknown) => String(plain(error)))
      expect(said).not.toContain(PASSWORD)
    }
  })
})
