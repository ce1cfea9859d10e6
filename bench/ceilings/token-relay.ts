// The ceiling of a token's way: Fastify's empty handler, a store that does nothing but append (a bare script and its PUBLISH, or
// a transaction of what waits), and bare sockets. STORE is redis or sqlite.
import fastify from 'fastify'
import { Redis } from 'ioredis'
import type { Duplex } from 'node:stream'
import { bareWs, eventsText, eventText, ready, textFrame } from './bare-ws.ts'
import { openBare } from './sqlite-transaction.ts'

const SCRIPT = `#!lua
local serial = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], serial .. '-0', 'e', ARGV[1])
redis.call('PUBLISH', KEYS[3], serial .. ' ' .. ARGV[1])
return serial`

const { STORE, REDIS_URL = '', DATA_DIR = '' } = process.env
const app = fastify()
app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) =>
  done(null, body),
)

/** The readers of each session; a reader names its session by an attach. */
const readers = new Map<string, Set<Duplex>>()
bareWs(app.server, (raw) => (text) => {
  const { session } = JSON.parse(text) as { session: string }
  const all = readers.get(session) ?? new Set()
  readers.set(session, all.add(raw))
  raw.write(textFrame('{"type":"snapshot","position":"e.0.abcdefgh","last":true}'))
})

function deliver(session: string, serial: number, body: string): void {
  const frame = textFrame(eventsText(session, eventText(serial, body.slice(1))))
  for (const raw of readers.get(session) ?? []) {
    if (raw.destroyed) readers.get(session)?.delete(raw)
    else raw.write(frame)
  }
}

const append = STORE === 'redis' ? await appendToRedis() : appendToSqlite()

app.post('/v1/sessions/:session/events', (request, reply) => {
  const { session } = request.params as { session: string }
  append(session, String(request.body), (serial) => {
    const range = { epoch: 'e', first: serial, last: serial }
    void reply.send({ ...range, duplicates: 0, durability: 'memory' })
  })
})

type Append = (session: string, body: string, done: (serial: number) => void) => void

async function appendToRedis(): Promise<Append> {
  const redis = new Redis(REDIS_URL)
  const subscriber = new Redis(REDIS_URL)
  await subscriber.psubscribe('wake:*')
  subscriber.on('pmessage', (_pattern: string, channel: string, message: string) => {
    const space = message.indexOf(' ')
    deliver(channel.slice(5), Number(message.slice(0, space)), message.slice(space + 1))
  })
  const sha = String(await redis.script('LOAD', SCRIPT))
  return (session, body, done) => {
    const keys = [`log:${session}`, `head:${session}`, `wake:${session}`]
    void redis.evalsha(sha, 3, ...keys, body, (_error, serial) => done(Number(serial)))
  }
}

interface Waiting {
  readonly session: string
  readonly body: string
  readonly done: (serial: number) => void
}

function appendToSqlite(): Append {
  const db = openBare(DATA_DIR)
  const insert = db.prepare(
    'INSERT INTO events (sid, serial, at, crc, text) VALUES (?, ?, 1, 1, ?)',
  )
  const heads = new Map<string, { readonly sid: number; serial: number }>()
  let waiting: Waiting[] = []
  const commit = (): void => {
    const all = waiting
    waiting = []
    db.exec('BEGIN IMMEDIATE')
    const serials = all.map(({ session, body }) => {
      const head = heads.get(session) ?? { sid: heads.size + 1, serial: 0 }
      heads.set(session, head)
      insert.run(head.sid, ++head.serial, body)
      return head.serial
    })
    db.exec('COMMIT')
    for (const [i, { session, body, done }] of all.entries()) {
      const serial = serials[i] ?? 0
      deliver(session, serial, body)
      done(serial)
    }
  }
  return (session, body, done) => {
    if (waiting.length === 0) setImmediate(commit)
    waiting.push({ session, body, done })
  }
}

await app.ready()
ready(app.server)
