import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BroadcastChannel, Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CommitRequest, CommitResult } from '../../src/core/store.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openForWriting, prepareFile } from '../../src/store/sqlite/format.ts'
import { WriterLink } from '../../src/store/sqlite/link.ts'
import { Failure, type WriteRequest } from '../../src/store/sqlite/requests.ts'
import { Writer } from '../../src/store/sqlite/writer.ts'
import { commandsOf } from '../contract/store/commands.ts'
import {
  create,
  event,
  events,
  eventually,
  newEpoch,
  newSession,
  newTag,
} from '../contract/store/kit.ts'
import { mainFile, newFolder, openStore } from './sqlite-folder.ts'

/** A writer without a thread, and its connection. */
function newWriter(): { readonly db: DatabaseSync; readonly writer: Writer } {
  const file = mainFile(newFolder())
  prepareFile(file, { synchronous: 'FULL' })
  const db = openForWriting(file, { synchronous: 'FULL' })
  return { db, writer: new Writer(db) }
}

const asking = (commit: CommitRequest): WriteRequest => ({ kind: 'commit', commit })

/** A link to a thread that runs this code. */
function linkTo(code: string): WriterLink {
  const worker = new Worker(`const { parentPort } = require('node:worker_threads'); ${code}`, {
    eval: true,
  })
  onTestFinished(async () => void (await worker.terminate()))
  return new WriterLink(worker, Date.now, () => undefined)
}

describe('a group of SQLite commits', () => {
  it('is answered as if one came after the other', { timeout: 60_000 }, async () => {
    const store = await openStore(newFolder())
    await fc.assert(
      fc.asyncProperty(commandsOf(60), async (commands) => {
        const session = newSession('group')
        const model = new MemoryStore(new LocalSignals(), Date.now)
        const requests = commands
          .filter((command) => command.kind === 'commit')
          .map(({ create, producer, events, guards, writes }): CommitRequest => {
            const claim = producer !== null && events.length > 0
            return {
              session,
              events,
              guards,
              writes,
              ...(create !== null && { create: { epoch: create } }),
              ...(claim && { producer: { ...producer, count: events.length } }),
            }
          })
        const timeless = (result: CommitResult) => ({ ...result, at: 0 })
        const real = await Promise.all(requests.map((request) => store.commit(request)))
        const wanted = await Promise.all(requests.map((request) => model.commit(request)))
        expect(real.map(timeless)).toEqual(wanted.map(timeless))
        await store.remove(session)
      }),
      { numRuns: 60 },
    )
  })

  it('that fails for one of them is still written for the others', () => {
    const { writer } = newWriter()
    const [one, two] = [newSession(), newSession()]
    const poison = { session: one, writes: [{ field: undefined as unknown as string, value: 'x' }] }
    const answers = writer.write(
      [
        asking({ session: one, create: { epoch: newEpoch() }, events: events(1) }),
        asking({ ...poison, events: events(1) }),
        asking({ session: two, create: { epoch: newEpoch() }, events: events(1) }),
        asking({ session: one, events: events(1) }),
      ],
      Date.now(),
    )
    expect(answers[1]).toBeInstanceOf(Failure)
    expect(answers[1]).toMatchObject({ code: 'internal' })
    expect(answers.toSpliced(1, 1)).toMatchObject([
      { outcome: 'committed', first: 1 },
      { outcome: 'committed', first: 1 },
      { outcome: 'committed', first: 2 },
    ])
  })

  it('on a full disk is refused without effect, and what still fits goes on', () => {
    const { db, writer } = newWriter()
    const session = newSession()
    writer.write(
      [asking({ session, create: { epoch: newEpoch() }, events: events(1) })],
      Date.now(),
    )
    const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count'])
    db.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const large = event(`"${'x'.repeat(60_000)}"`, 'large')
    const [refused, small] = writer.write(
      [asking({ session, events: [large] }), asking({ session, events: events(1) })],
      Date.now(),
    )
    expect(refused).toMatchObject({ code: 'storage_full' })
    expect(small).toMatchObject({ outcome: 'committed', first: 2 })
    db.exec('PRAGMA max_page_count = 1000000')
    const [again] = writer.write([asking({ session, events: [large] })], Date.now())
    expect(again).toMatchObject({ outcome: 'committed', first: 3 })
  })

  it('trims only while the guarded field is what it was', () => {
    const { writer } = newWriter()
    const session = newSession()
    const writes = [{ field: 'snapshot', value: 'new' }]
    writer.write(
      [asking({ session, create: { epoch: newEpoch() }, events: events(3), writes })],
      Date.now(),
    )
    const trim = (equals: string | null): WriteRequest => {
      const guard = { field: 'snapshot', equals }
      const bounds = { maxEvents: 1, maxBytes: null, maxAgeMs: null, notAfter: 3, limit: 10 }
      return { kind: 'trim', session, policy: { ...bounds, guard } }
    }
    expect(writer.write([trim('old'), trim(null), trim('new')], Date.now())).toEqual([
      { floor: 0, trimmed: 0, more: false },
      { floor: 0, trimmed: 0, more: false },
      { floor: 2, trimmed: 2, more: false },
    ])
  })

  describe('checks guards against what is in the file, not against what was there or nearly was', () => {
    /** A session with a run, as a guard has seen it. */
    function newRun() {
      const { writer } = newWriter()
      const session = newSession()
      const write = (request: WriteRequest) => writer.write([request], Date.now())[0]
      const run = (value: string | null) => ({ field: 'run:r', value })
      const set = (...values: (string | null)[]) =>
        write(asking({ session, writes: values.map(run) }))
      const holds = (equals: string | null) =>
        write(asking({ session, guards: [{ field: 'run:r', equals }] }))
      const make = () =>
        write(asking({ session, create: { epoch: newEpoch() }, writes: [run('1')] }))
      make()
      expect(holds('1')).toMatchObject({ outcome: 'committed' })
      return { write, session, set, holds, make, run }
    }
    const truth = (value: string | null) => ({
      outcome: 'conflict',
      fields: new Map([['run:r', value]]),
    })

    it('after each change of the field: short, long, and gone', () => {
      const { set, holds } = newRun()
      const long = 'x'.repeat(5000)
      for (const value of ['2', long, '3', null, '4', `${long}y`, null, long, '1']) {
        set(value)
        expect(holds('other')).toMatchObject(truth(value))
        expect(holds(value)).toMatchObject({ outcome: 'committed' })
      }
    })

    it('after a commit that failed on its way [P-10.3]', () => {
      const { write, session, holds, run } = newRun()
      const poison = { field: undefined as unknown as string, value: 'x' }
      const failed = write(asking({ session, writes: [run('2'), poison] }))
      expect(failed).toMatchObject({ code: 'internal' })
      expect(holds('2')).toMatchObject(truth('1'))
      expect(holds('1')).toMatchObject({ outcome: 'committed' })
    })

    it('after the session was removed, and made again', () => {
      const { write, session, holds, make } = newRun()
      write({ kind: 'remove', session, guard: undefined })
      write(asking({ session, create: { epoch: newEpoch() } }))
      expect(holds('1')).toMatchObject(truth(null))
      write({ kind: 'remove', session, guard: undefined })
      make()
      expect(holds(null)).toMatchObject(truth('1'))
    })

    it('within one group, where one commit takes the run from the next [P-10.3]', () => {
      const { writer } = newWriter()
      const session = newSession()
      const mine = { guards: [{ field: 'run:r', equals: '1' }], events: events(1) }
      const answers = writer.write(
        [
          asking({
            session,
            create: { epoch: newEpoch() },
            writes: [{ field: 'run:r', value: '1' }],
          }),
          asking({ session, ...mine }),
          asking({ session, writes: [{ field: 'run:r', value: '2' }] }),
          asking({ session, ...mine }),
        ],
        Date.now(),
      )
      expect(answers.slice(1)).toMatchObject([
        { outcome: 'committed', first: 1 },
        { outcome: 'committed' },
        truth('2'),
      ])
    })

    it('of more fields than are kept in memory', () => {
      const { write, session } = newRun()
      const many = Array.from({ length: 100 }, (_, n) => ({ field: `f:${n}`, value: `${n}` }))
      write(asking({ session, writes: many }))
      const guards = many.map(({ field, value }) => ({ field, equals: value }))
      for (const changed of ['a', 'b']) {
        expect(write(asking({ session, guards }))).toMatchObject({ outcome: 'committed' })
        write(asking({ session, writes: [{ field: 'f:99', value: changed }] }))
        expect(write(asking({ session, guards }))).toMatchObject({ outcome: 'conflict' })
        write(asking({ session, writes: [{ field: 'f:99', value: '99' }] }))
      }
    })
  })

  it('waits for no other program that has locked the file', () => {
    const { db, writer } = newWriter()
    const session = newSession()
    const other = new DatabaseSync(db.location() ?? '', { timeout: 0 })
    other.exec('BEGIN IMMEDIATE')
    const request = asking({ session, create: { epoch: newEpoch() }, events: events(1) })
    expect(writer.write([request], Date.now())).toMatchObject([{ code: 'store_unavailable' }])
    other.exec('ROLLBACK')
    other.close()
    expect(writer.write([request], Date.now())).toMatchObject([{ outcome: 'committed', first: 1 }])
  })
})

describe('what removed sessions and old ids leave in SQLite', () => {
  /** As a full disk does, which a test has none of. */
  const STUCK = `CREATE TRIGGER stuck BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'stuck'); END`
  const count = (db: DatabaseSync, table: string): number =>
    Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])

  it('is cleared in steps, whole', () => {
    const { db, writer } = newWriter()
    const session = newSession()
    const many = Array.from({ length: 700 }, (_, n) => event('1', `id-${n}`))
    const rest = { writes: [{ field: 'a', value: '1' }], deadlines: [{ deadline: 'd', inMs: 1 }] }
    writer.write([asking({ session, create: { epoch: newEpoch() }, events: many, ...rest })], 1e12)
    expect(writer.write([{ kind: 'remove', session, guard: undefined }], 1e12)).toEqual([true])
    expect(count(db, 'events')).toBe(700)
    let steps = 0
    for (; writer.hasLeftovers; steps++) writer.tidy()
    expect(steps).toBe(3)
    const tables = ['sessions', 'events', 'fields', 'deadlines', 'dedupe', 'leftovers']
    expect(tables.map((table) => count(db, table))).toEqual(tables.map(() => 0))
  })

  it('is cleared while the store is idle', async () => {
    const folder = newFolder()
    const store = await openStore(folder)
    const { session } = await create(store, { events: events(1000) })
    await store.remove(session)
    const db = new DatabaseSync(mainFile(folder), { readOnly: true })
    onTestFinished(() => db.close())
    await eventually(() => expect(count(db, 'events') + count(db, 'leftovers')).toBe(0))
  })

  it('is cleared once it can be: until then it is tried now and then, and commits go on', async () => {
    const folder = newFolder()
    const store = await openStore(folder)
    const { session } = await create(store, { events: events(10) })
    const other = await create(store)
    const db = new DatabaseSync(mainFile(folder), { timeout: 5000 })
    onTestFinished(() => db.close())
    db.exec(STUCK)
    await store.remove(session)
    expect(await store.commit({ session: other.session, events: events(1) })).toMatchObject({
      outcome: 'committed',
    })
    expect(count(db, 'leftovers')).toBe(1)
    db.exec('DROP TRIGGER stuck')
    await eventually(() => expect(count(db, 'leftovers')).toBe(0))
  })

  it('is said to be left where it could not be cleared, so that nobody tries again at once', () => {
    const { db, writer } = newWriter()
    const session = newSession()
    writer.write([asking({ session, create: { epoch: newEpoch() }, events: events(1) })], 1e12)
    writer.write([{ kind: 'remove', session, guard: undefined }], 1e12)
    db.exec(STUCK)
    expect([writer.tidy(), writer.hasLeftovers]).toEqual([false, true])
    db.exec('DROP TRIGGER stuck')
    expect([writer.tidy(), writer.tidy(), writer.hasLeftovers]).toEqual([true, true, false])
  })

  it('goes with the commits that follow, when ids run out', () => {
    const { db, writer } = newWriter()
    const session = newSession()
    const at = 1e12
    const make = asking({ session, create: { epoch: newEpoch() } })
    const add = (now: number, n: number) =>
      writer.write([asking({ session, events: [event('1', `id-${now}-${n}`)] })], now)
    writer.write([make], at)
    for (let n = 0; n < 600; n++) add(at, n)
    expect(count(db, 'dedupe')).toBe(600)
    for (let n = 0; n < 5; n++) add(at + 11 * 60_000 + n * 2000, n)
    expect(count(db, 'dedupe')).toBe(5)
  })
})

describe('the way to the SQLite writer', () => {
  const request = {
    kind: 'commit',
    commit: { session: newSession(), events: [{ tag: newTag(), body: '}' }] },
  } as const

  it('holds a bounded number of commits, and refuses more at once', async () => {
    const link = linkTo('parentPort.on("message", () => undefined)')
    const waiting = Array.from({ length: 10_000 }, () => link.send<'commit'>(request))
    await expect(link.send<'commit'>(request)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryAfterMs: expect.any(Number),
    })
    for (const one of waiting) one.catch(() => undefined)
  })

  it('holds a bounded amount of text', async () => {
    const link = linkTo('parentPort.on("message", () => undefined)')
    const body = 'x'.repeat(40 << 20)
    const large = {
      kind: 'commit',
      commit: { ...request.commit, events: [{ tag: newTag(), body }] },
    } as const
    link.send<'commit'>(large).catch(() => undefined)
    await expect(link.send<'commit'>(large)).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  it.each(['process.exit(3)', 'throw new Error("broken")'])(
    'says that the outcome is unknown when the writer dies: %s',
    async (death) => {
      const link = linkTo(`parentPort.once("message", () => { ${death} })`)
      const results = await Promise.allSettled([
        link.send<'commit'>(request),
        link.send<'commit'>(request),
      ])
      expect(results).toMatchObject([
        { status: 'rejected', reason: { code: 'outcome_unknown' } },
        { status: 'rejected', reason: { code: 'outcome_unknown' } },
      ])
      expect(link.failure).toBeInstanceOf(Error)
      await expect(link.send<'commit'>(request)).rejects.toMatchObject({
        code: 'store_unavailable',
      })
      await link.close()
    },
  )
})

describe('while the SQLite writer is busy', () => {
  /** A writer that is busy with its first message until it is told to do something, and a way to tell it. */
  function busyLink(code: string) {
    const name = newSession('busy')
    const channel = new BroadcastChannel(name)
    onTestFinished(() => channel.close())
    const told = `const channel = new (require('node:worker_threads').BroadcastChannel)('${name}')`
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    const tell = () => channel.postMessage('go')
    return { link: linkTo(`${told}; ${code}`), tell }
  }

  /** Sends pings, each in a turn of the event loop of its own. */
  async function inTurns(link: WriterLink, count: number): Promise<Promise<unknown>[]> {
    const sent: Promise<unknown>[] = []
    for (let n = 0; n < count; n++) {
      sent.push(link.send<'ping'>({ kind: 'ping' }))
      sent.at(-1)?.catch(() => undefined)
      await nextTurn()
      await nextTurn()
    }
    return sent
  }

  // Answers each ping with the number of its message, from when it is told to go on.
  const numbering = `
    let messages = 0
    let held = []
    const answer = (packed) => held === null ? parentPort.postMessage(packed) : held.push(packed)
    parentPort.on('message', ({ requests }) => {
      const n = ++messages
      answer(requests.flatMap((part) => (typeof part === 'object' ? [2, n] : [])))
    })
    channel.onmessage = () => {
      const before = held ?? []
      held = null
      before.forEach(answer)
    }
    parentPort.postMessage('ready')`

  it('little is held back, and goes together once it has answered', async () => {
    const { link, tell } = busyLink(numbering)
    const sent = await inTurns(link, 6)
    await link.ready
    const answers = Promise.all(sent)
    await tellUntilSettled(answers, tell)
    expect(await answers).toEqual([1, 2, 2, 2, 2, 2])
  })

  it('much of one turn goes in groups, from its midst on', async () => {
    const { link, tell } = busyLink(numbering)
    const sent = Array.from({ length: 300 }, () => link.send<'ping'>({ kind: 'ping' }))
    const answers = Promise.all(sent)
    await tellUntilSettled(answers, tell)
    const message = (n: number, count: number): number[] => Array.from({ length: count }, () => n)
    expect(await answers).toEqual([...message(1, 128), ...message(2, 128), ...message(3, 44)])
  })

  it('what is left of a turn, behind what went from its midst, waits for the answer', async () => {
    const { link, tell } = busyLink(numbering)
    const first = Array.from({ length: 130 }, () => link.send<'ping'>({ kind: 'ping' }))
    const sent = [...first, ...(await inTurns(link, 3))]
    await link.ready
    const answers = Promise.all(sent)
    await tellUntilSettled(answers, tell)
    expect((await answers).slice(128)).toEqual([2, 2, 2, 2, 2])
  })

  it('much goes ahead of its answer', async () => {
    const { link, tell } = busyLink(numbering)
    const sent = await inTurns(link, 1 + 128 + 3)
    await link.ready
    const answers = Promise.all(sent)
    await tellUntilSettled(answers, tell)
    const counts = [1, 2, 3].map(async (n) => (await answers).filter((m) => m === n).length)
    expect(await Promise.all(counts)).toEqual([1, 128, 3])
  })

  it('what is held back has had no effect, should it die', async () => {
    const { link, tell } = busyLink(`
      channel.onmessage = () => process.exit(3)
      parentPort.on('message', () => undefined)
      parentPort.postMessage('ready')`)
    const sent = await inTurns(link, 3)
    await link.ready
    const results = Promise.allSettled(sent)
    await tellUntilSettled(results, tell)
    expect(await results).toMatchObject([
      { status: 'rejected', reason: { code: 'outcome_unknown' } },
      { status: 'rejected', reason: { code: 'store_unavailable' } },
      { status: 'rejected', reason: { code: 'store_unavailable' } },
    ])
  })
})

/** Whoever has not begun to listen does not hear: tells again until it was heard. */
async function tellUntilSettled(work: Promise<unknown>, tell: () => void): Promise<void> {
  let settled = false
  void work.finally(() => (settled = true))
  await eventually(() => {
    if (!settled) tell()
    expect(settled).toBe(true)
  })
}

describe('a closed SQLite store', () => {
  it('refuses everything, and is not well', async () => {
    const store = await openStore(newFolder())
    const { session } = await create(store, { events: events(1) })
    await store.close()
    const unavailable = { code: 'store_unavailable' }
    await expect(store.commit({ session, events: events(1) })).rejects.toMatchObject(unavailable)
    await expect(store.read(session, { after: 0, limit: 1, maxBytes: 1 })).rejects.toMatchObject(
      unavailable,
    )
    await expect(
      store.trim(session, { maxEvents: 0, maxBytes: null, maxAgeMs: null, notAfter: 1, limit: 1 }),
    ).rejects.toMatchObject(unavailable)
    expect(await store.check()).toEqual({ ok: false, detail: 'closed' })
  })
})
