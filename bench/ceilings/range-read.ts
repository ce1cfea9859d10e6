// The ceiling of a resume: pages of a range of the store, joined and written to a bare socket. STORE is redis or sqlite.
import { Redis } from 'ioredis'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { bareWs, eventsText, eventText, ready, textFrame } from './bare-ws.ts'
import { openBare } from './sqlite-transaction.ts'

const PAGE = 1000
const {
  STORE,
  REDIS_URL = '',
  DATA_DIR = '',
  EVENTS = '0',
  BYTES = '370',
  KEY = 'range',
} = process.env
const read = STORE === 'redis' ? await fillRedis() : fillSqlite()

/** Texts of up to a page of events after a serial. */
type Read = (after: number) => Promise<string[]>

function* texts(): Generator<readonly [number, string]> {
  for (let serial = 1; serial <= Number(EVENTS); serial++) {
    const bare = eventText(serial, '"data":""}')
    yield [
      serial,
      eventText(serial, `"data":"${'x'.repeat(Math.max(0, Number(BYTES) - bare.length))}"}`),
    ]
  }
}

async function fillRedis(): Promise<Read> {
  const redis = new Redis(REDIS_URL)
  let pipeline = redis.pipeline()
  for (const [serial, text] of texts()) {
    pipeline.xadd(KEY, `${serial}-0`, 'e', text)
    if (serial % PAGE === 0) {
      await pipeline.exec()
      pipeline = redis.pipeline()
    }
  }
  await pipeline.exec()
  return async (after) => {
    const entries = await redis.xrange(KEY, `${after + 1}-0`, '+', 'COUNT', PAGE)
    return entries.map(([, fields]) => fields[1] ?? '')
  }
}

function fillSqlite(): Read {
  const db = openBare(DATA_DIR)
  const insert = db.prepare(
    'INSERT INTO events (sid, serial, at, crc, text) VALUES (1, ?, 1, 1, ?)',
  )
  db.exec('BEGIN')
  for (const [serial, text] of texts()) insert.run(serial, text)
  db.exec('COMMIT')
  const select = db.prepare(
    'SELECT text FROM events WHERE sid = 1 AND serial > ? ORDER BY serial LIMIT ?',
  )
  return async (after) => select.all(after, PAGE).map((row) => String(row['text']))
}

interface Page {
  readonly count: number
  readonly frame: Buffer
}

/** Readers that ask for one page at one time share the read, and the frame. */
const pages = new Map<number, Promise<Page>>()

function page(after: number): Promise<Page> {
  const asked = pages.get(after)
  if (asked !== undefined) return asked
  const reading = read(after).then((events) => {
    setImmediate(() => pages.delete(after))
    return { count: events.length, frame: textFrame(eventsText('s', events.join(','))) }
  })
  pages.set(after, reading)
  return reading
}

/** The next page is read while this one is written. */
async function follow(raw: Duplex): Promise<void> {
  raw.write(textFrame('{"type":"attached","mode":"resumed"}'))
  let after = 0
  let next = page(after)
  for (;;) {
    const { count, frame } = await next
    if (count === 0 || raw.destroyed) return
    after += count
    if (count === PAGE) next = page(after)
    const taken = raw.write(frame)
    if (!taken) await Promise.race([once(raw, 'drain'), once(raw, 'close')])
    if (count < PAGE) return
    // Other readers have their turn.
    await new Promise(setImmediate)
  }
}

const server = createServer()
bareWs(server, (raw) => () => void follow(raw))
ready(server)
