import { copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Store, StoredEvent } from '../../src/core/store.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import {
  commit,
  create,
  event,
  events,
  expectChain,
  headOf,
  readAll,
} from '../contract/store/kit.ts'
import { mainFile, newFolder, openStore } from './sqlite-folder.ts'

const RANGE = { limit: 1000, maxBytes: 1 << 24 }

function edit(folder: string, sql: string): void {
  const db = new DatabaseSync(mainFile(folder), { defensive: false })
  db.function('crc32', (text) => crc32(String(text)))
  db.exec(sql)
  db.close()
}

/** As a disk does that lost what it was given: the first page of the table and of its indices. */
function overwrite(folder: string, table: string): void {
  const db = new DatabaseSync(mainFile(folder))
  const roots = db.prepare('SELECT rootpage AS root FROM sqlite_schema WHERE tbl_name = ?')
  const pages = roots.all(table).map(({ root }) => Number(root))
  const size = Number(db.prepare('PRAGMA page_size').get()?.['page_size'])
  db.close()
  const bytes = readFileSync(mainFile(folder))
  for (const page of pages) bytes.fill(0xff, (page - 1) * size, page * size)
  writeFileSync(mainFile(folder), bytes)
}

/** A closed folder with one session of so many events. */
async function written(count: number) {
  const folder = newFolder()
  const store = await openStore(folder)
  const { session } = await create(store)
  for (let n = 0; n < count; n++) {
    await commit(store, { session, events: [event(JSON.stringify('x'.repeat(100 + n)))] })
  }
  const log = await readAll(store, session)
  return { folder, store, session, log }
}

describe('a damaged SQLite file', () => {
  it('gives the good events before a changed one, then says that it is corrupt', async () => {
    const { folder, store, session, log } = await written(5)
    await store.close()
    edit(folder, `UPDATE events SET text = replace(text, 'xx"', 'xy"') WHERE serial = 3`)
    const again = await openStore(folder)
    const page = await again.read(session, { after: 0, ...RANGE })
    expect(page?.events).toEqual(log.slice(0, 2))
    await expect(again.read(session, { after: 2, ...RANGE })).rejects.toMatchObject({
      code: 'event_corrupt',
      facts: { session, serial: 3 },
    })
    expect((await again.read(session, { after: 3, ...RANGE }))?.events).toEqual(log.slice(3))
  })

  it.each([
    ['an event is gone from the middle', 'DELETE FROM events WHERE serial = 3', 2],
    ['an event is gone from the end', 'DELETE FROM events WHERE serial = 5', 4],
    ['two events have changed places', 'UPDATE events SET serial = 7 - serial WHERE serial = 3', 2],
    ['the head carries another tag', `UPDATE sessions SET tag = 'otherTag'`, 4],
  ])('is not served beyond the damage when %s', async (_, sql, good) => {
    const { folder, store, session, log } = await written(5)
    await store.close()
    edit(
      folder,
      `DROP INDEX events_by_serial; ${sql}; CREATE INDEX events_by_serial ON events (sid, serial)`,
    )
    const again = await openStore(folder)
    expect((await again.read(session, { after: 0, ...RANGE }))?.events).toEqual(log.slice(0, good))
    await expect(again.read(session, { after: good, ...RANGE })).rejects.toMatchObject({
      code: 'event_corrupt',
    })
  })

  it.each([
    ['a number of a session', 'sessions', `UPDATE sessions SET head = 'many'`],
    ['the text of a session', 'sessions', `UPDATE sessions SET epoch = x'00ff'`],
    ['a field', 'fields', `UPDATE fields SET value = x'00ff'`],
    ['an event', 'events', `UPDATE events SET text = x'00ff' WHERE serial = 1`],
  ])('whose column holds something of another type is corrupt: %s', async (_, table, sql) => {
    const { folder, store, session } = await written(2)
    await store.commit({ session, writes: [{ field: 'f', value: 'v' }] })
    await store.close()
    edit(
      folder,
      `PRAGMA writable_schema = ON;
       UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE name = '${table}';
       PRAGMA writable_schema = RESET;
       ${sql}`,
    )
    const again = await openStore(folder)
    const all = { after: 0, ...RANGE }
    const read = table === 'fields' ? again.fields(session, ['f']) : again.read(session, all)
    await expect(read).rejects.toMatchObject({ code: 'event_corrupt' })
    const guards = [{ field: 'f', equals: 'v' }]
    const policy = { maxEvents: 1, maxBytes: null, maxAgeMs: null, notAfter: 2, limit: 10 }
    const changed =
      table === 'events' ? again.trim(session, policy) : again.commit({ session, guards })
    await expect(changed).rejects.toMatchObject({ code: 'event_corrupt' })
  })

  it('whose pages are gone takes no more writes, says so for good, and goes on with what can be read', async () => {
    const { folder, store, session } = await written(200)
    await store.close()
    overwrite(folder, 'events')
    const again = await openStore(folder)
    const damage = expect.stringMatching(/SQLite says: .*malformed/) as string
    await expect(again.read(session, { after: 0, ...RANGE })).rejects.toMatchObject({
      code: 'event_corrupt',
      // A caller can neither restore a backup nor look at the file: that is for the log.
      message: 'unable to read; what is stored is damaged',
      cause: { message: damage },
      retryable: false,
    })
    expect(await again.heads([session])).toMatchObject([{ head: 200 }])
    const writing = again.commit({ session, events: events(1) })
    await expect(writing).rejects.toMatchObject({ code: 'outcome_unknown' })
    expect(await again.failed).toMatchObject({ message: damage })
    expect(await again.check()).toMatchObject({ ok: false, detail: damage })
  })

  it.each([
    ['whose beginning is gone', 0],
    ['whose tables cannot be told', 100],
  ])('%s is refused at the start, with what to do about it', async (_, from) => {
    const { folder, store } = await written(1)
    await store.close()
    const bytes = readFileSync(mainFile(folder))
    writeFileSync(mainFile(folder), bytes.fill(0xa5, from, from + 100))
    await expect(openStore(folder)).rejects.toThrow(
      /^unable to open; the data file is damaged; SQLite says: .*Restore a backup/,
    )
  })

  it('that cannot tell what is due is lost for all of its sessions', async () => {
    const { folder, store, session } = await written(1)
    await store.close()
    overwrite(folder, 'deadlines')
    const again = await openStore(folder)
    await expect(again.due(1)).rejects.toMatchObject({ code: 'event_corrupt' })
    expect(await again.failed).toMatchObject({ message: expect.stringContaining('malformed') })
    const writing = again.commit({ session, events: events(1) })
    await expect(writing).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it('is not served beyond an event that follows another one than is there, whatever its checksum', async () => {
    const { folder, store, session, log } = await written(5)
    await store.close()
    edit(
      folder,
      `UPDATE events SET text = substr(text, 1, 37) || 'otherTag' || substr(text, 46) WHERE serial = 3;
       UPDATE events SET crc = crc32(text)`,
    )
    const again = await openStore(folder)
    expect((await again.read(session, { after: 0, ...RANGE }))?.events).toEqual(log.slice(0, 2))
  })

  it('takes no more events for a session whose head is gone, and others go on', async () => {
    const { folder, store, session } = await written(5)
    const other = await create(store, { events: events(1) })
    await store.close()
    edit(folder, `DELETE FROM events WHERE serial = 5`)
    const again = await openStore(folder)
    const [refused, taken] = await Promise.allSettled([
      again.commit({ session, events: events(1) }),
      again.commit({ session: other.session, events: events(1) }),
    ])
    expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'event_corrupt' } })
    expect(taken).toMatchObject({ status: 'fulfilled', value: { outcome: 'committed', first: 2 } })
    expect(await again.remove(session)).toBe(true)
  })

  it(
    'with any one byte flipped is right, or refuses, or says so',
    { timeout: 60_000 },
    async () => {
      const { folder, store, session, log } = await written(120)
      await store.close()
      const size = statSync(mainFile(folder)).size
      const copy = newFolder()
      for (let round = 0; round < 25; round++) {
        copyFileSync(mainFile(folder), mainFile(copy))
        flip(mainFile(copy), Math.floor((size * (round + 0.37)) / 25))
        await expectRightOrRefused(copy, session, log)
        for (const end of ['-wal', '-shm']) rmSync(mainFile(copy) + end, { force: true })
      }
    },
  )
})

describe('a damaged SQLite write-ahead log', () => {
  /** A folder as a kill leaves it, its commits still in the log; `damage` changes a copy of that. */
  async function damaged(damage: (wal: string, size: number) => void) {
    const { folder, session, log } = await written(60)
    const copy = newFolder()
    copyFileSync(mainFile(folder), mainFile(copy))
    copyFileSync(`${mainFile(folder)}-wal`, `${mainFile(copy)}-wal`)
    damage(`${mainFile(copy)}-wal`, statSync(`${mainFile(folder)}-wal`).size)
    return { folder: copy, session, log }
  }

  it('that is whole has all commits', async () => {
    const { folder, session, log } = await damaged(() => undefined)
    expect(await readAll(await openStore(folder), session)).toEqual(log)
  })

  it.each([0.2, 0.5, 0.8, 0.999])(
    'cut at %d of its length loses its end and nothing else',
    async (part) => {
      const { folder, session, log } = await damaged((wal, size) =>
        writeFileSync(wal, readFileSync(wal).subarray(0, Math.floor(size * part))),
      )
      await expectPrefix(await openStore(folder), session, log)
    },
  )

  it.each([0.2, 0.5, 0.8, 0.999])(
    'with a byte flipped at %d of it loses its end and nothing else',
    async (part) => {
      const { folder, session, log } = await damaged((wal, size) =>
        flip(wal, Math.floor(size * part)),
      )
      await expectPrefix(await openStore(folder), session, log)
    },
  )

  it('that is gone leaves what was moved into the file, and no more', async () => {
    const { folder, session, log } = await damaged((wal) => rmSync(wal))
    await expectPrefix(await openStore(folder), session, log)
  })
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] ?? 0) ^ 0x20
  writeFileSync(file, bytes)
}

/** The log is a beginning of what it was, whole in itself, and goes on with tags that tell the two apart. */
async function expectPrefix(store: Store, session: SessionId, log: readonly StoredEvent[]) {
  const [head] = await store.heads([session])
  if (head === null || head === undefined) return
  const left = await readAll(store, session)
  expect(left).toEqual(log.slice(0, left.length))
  expectChain(left, head)
  await commit(store, { session, events: events(2) })
  expectChain(await readAll(store, session), await headOf(store, session))
}

async function expectRightOrRefused(
  folder: string,
  session: SessionId,
  log: readonly StoredEvent[],
) {
  let store: Store
  try {
    store = await openStore(folder)
  } catch (error) {
    expect(String(error)).toMatch(/unable to open;/)
    return
  }
  for (let after = 0; after < log.length; after += 10) {
    try {
      const page = await store.read(session, { after, limit: 10, maxBytes: 1 << 20 })
      for (const stored of page?.events ?? []) expect(stored).toEqual(log[stored.serial - 1])
    } catch (error) {
      expect(error).toMatchObject({
        code: expect.stringMatching(/event_corrupt|store_unavailable/),
      })
    }
  }
  const added = await store.commit({ session, events: events(1) }).catch((error: unknown) => error)
  expect(existsSync(mainFile(folder))).toBe(true)
  if (added instanceof Error) expect(added).toMatchObject({ name: 'HeldlineError' })
  await store.close()
}
