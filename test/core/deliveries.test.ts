import { describe, expect, test, vi } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { cancelRun } from '../../src/core/transitions/run-end.ts'
import { startRun } from '../../src/core/transitions/run-start.ts'
import { claimTry } from '../../src/core/transitions/delivery.ts'
import { markRead } from '../../src/core/transitions/read.ts'
import { webhookBody } from '../../src/core/webhook-body.ts'
import { endRun, OUTPUT, type EndedRun } from '../support/ended-run.ts'
import { failed, FakeSender } from '../support/fake-sender.ts'
import { RETRY_MS, type SimNode } from '../support/sim-node.ts'
import { BY, refusal, SESSION, World } from './world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

async function open({ webhook = true } = {}) {
  const world = new World()
  const sender = new FakeSender(() => world.clock.now())
  const node = world.node(webhook ? { sender } : {})
  await world.session()
  const { clock, store, random } = world
  const end = (change: Partial<EndedRun> = {}): Promise<void> =>
    endRun(store, random, SESSION, { name: 'r1', deliverTo: ['ada'], ...change })
  /** What the log says of deliveries, a line each. */
  const told = async (): Promise<string[]> =>
    (await world.log()).flatMap(({ type, data }) => {
      if (!type.startsWith('delivery.')) return []
      const { to, via, attempts, reason } = data as Record<string, string | undefined>
      const about = to ?? via ?? `${attempts} ${reason}`
      return [`${type.slice('delivery.'.length)} ${about}`]
    })
  const read = async (subject: string, serial?: number): Promise<number> =>
    node.sessions.markRead(SESSION, subject, serial ?? (await node.sessions.head(SESSION)).head)
  const only = async () => {
    const [one] = await node.deliveries.list(SESSION)
    if (one === undefined) throw new Error('there is no delivery')
    return one
  }
  return { world, sender, node, clock, store, random, end, told, read, only }
}

describe('[P-15.1] [S0-23] what is finished is not delivered yet', () => {
  test('the commit that ends a run makes a delivery for each subject, once', async () => {
    const { end, world, node } = await open()
    await end({ deliverTo: ['ada', 'ben', 'ada'], ending: { status: 'finished' } })
    const types = (await world.log()).map(({ type, data }) => [type, (data as { to?: string }).to])
    expect(types.slice(-3)).toEqual([
      ['run.finished', undefined],
      ['delivery.pending', 'ada'],
      ['delivery.pending', 'ben'],
    ])
    const finished = (await world.log()).find(({ type }) => type === 'run.finished')
    const { deliveries } = await node.views.at(SESSION)
    expect([...deliveries.values()]).toMatchObject([
      { to: 'ada', status: 'pending', serial: finished?.serial, at: finished?.at },
      { to: 'ben', status: 'pending', serial: finished?.serial },
    ])
  })

  test('a failed run makes one too; a cancelled one makes none', async () => {
    const { end, told, store, random } = await open()
    await end({ ending: { status: 'failed', error: { message: 'no' }, deliverTo: ['ben'] } })
    expect(await told()).toEqual(['pending ada', 'pending ben'])
    const info = { agent: null, trigger: null, producer: null, leaseMs: 25_000 }
    const start = { session: SESSION, run: 'r2', by: BY, maxLive: 9 }
    const all = { ...info, deliverTo: ['ada'], deliverAfterMs: MINUTE }
    await run(store, startRun({ ...start, info: all }, random))
    await run(
      store,
      cancelRun({ session: SESSION, run: 'r2', by: BY }, { status: 'cancelled' }, random),
    )
    expect(await told()).toHaveLength(2)
  })

  test('[R17] [S0-24] whoever was away and is back an hour later has it once', async () => {
    const { end, told, read, clock } = await open({ webhook: false })
    await end()
    await clock.advance(HOUR)
    expect(await told()).toEqual(['pending ada'])
    await read('ada')
    await read('ada')
    await clock.advance(HOUR)
    expect(await told()).toEqual(['pending ada', 'acked read'])
  })

  test('[R17] what was read in time is never sent', async () => {
    const { end, told, read, clock, sender } = await open()
    await end()
    await clock.advance(59_000)
    await read('ada')
    await clock.advance(10 * HOUR)
    expect(sender.sent).toEqual([])
    expect(await told()).toEqual(['pending ada', 'acked read'])
  })

  test('it takes the very subject, and a read up to the end of the run', async () => {
    const { end, told, read, only } = await open()
    await end()
    const { serial } = await only()
    await read('ben')
    await read('ada', (serial ?? 0) - 1)
    expect(await told()).toEqual(['pending ada'])
    await read('ada', serial ?? 0)
    expect(await told()).toEqual(['pending ada', 'acked read'])
  })

  test('one read acknowledges all that it reaches', async () => {
    const { end, told, read } = await open()
    for (const name of ['r1', 'r2', 'r3']) await end({ name })
    await read('ada')
    expect(await told()).toEqual([
      ...Array<string>(3).fill('pending ada'),
      ...Array<string>(3).fill('acked read'),
    ])
  })

  test('a read where nothing waits for the reader looks at no view', async () => {
    const { read, node, end } = await open()
    await end({ deliverTo: ['ben'] })
    const looked = vi.spyOn(node.views, 'at')
    await read('ada')
    expect(looked).not.toHaveBeenCalled()
  })

  test('a read whose node died before it acknowledged is found when the delivery is due', async () => {
    const { end, told, store, clock, sender } = await open()
    await end()
    await run(store, markRead({ session: SESSION, subject: 'ada', serial: 4 }))
    await clock.advance(2 * MINUTE)
    expect(sender.sent).toEqual([])
    expect(await told()).toEqual(['pending ada', 'acked read'])
  })

  test('more than a hundred do not wait: the oldest are failed, and a read takes them too', async () => {
    const { end, told, node, read } = await open({ webhook: false })
    for (let i = 0; i < 103; i++) await end({ name: `r${i}` })
    const listed = await node.deliveries.list(SESSION)
    expect(listed.filter(({ status }) => status === 'pending')).toHaveLength(100)
    expect(listed.filter(({ status }) => status === 'failed').map((one) => one.run)).toEqual([
      'r0',
      'r1',
      'r2',
    ])
    expect((await told()).filter((line) => line === 'failed 0 superseded')).toHaveLength(3)
    await read('ada')
    expect(await node.deliveries.list(SESSION)).toEqual([])
    expect((await told()).filter((line) => line === 'acked read')).toHaveLength(103)
  })

  test('the results of a session that is closed still reach their people', async () => {
    const { end, told, node, clock, read } = await open()
    await end({ deliverTo: ['ada', 'ben'] })
    await node.sessions.close({ session: SESSION, by: BY })
    await read('ada')
    await clock.advance(62_000)
    expect(await told()).toEqual(['pending ada', 'pending ben', 'acked read', 'acked webhook'])
  })

  test('a session that is removed takes its deliveries along', async () => {
    const { end, node, clock, store, sender } = await open()
    await end()
    await node.sessions.remove(SESSION)
    await clock.advance(HOUR)
    expect(sender.sent).toEqual([])
    expect(await store.due(10)).toEqual([])
  })
})

describe('[P-15.2] [S2-10] what is not read in time is sent', () => {
  test('once it has waited for as long as it may, with what the run came to', async () => {
    const { end, told, clock, sender, only, read } = await open()
    await end()
    const { delivery, serial, at } = await only()
    await clock.advance(59_000)
    expect(sender.sent).toEqual([])
    await clock.advance(3000)
    expect(sender.bodies()).toEqual([
      {
        type: 'run.finished',
        session: SESSION,
        run: 'r1',
        delivery,
        to: 'ada',
        serial,
        at,
        output: { answer: 42 },
      },
    ])
    expect(sender.sent[0]?.id).toBe(delivery)
    expect(sender.sent[0]?.body).toContain(`"output":${OUTPUT}`)
    await read('ada')
    await clock.advance(10 * HOUR)
    expect(sender.sent).toHaveLength(1)
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })

  test('[P-15.3] a failed run is sent with its error', async () => {
    const { end, clock, sender } = await open()
    await end({ ending: { status: 'failed', error: { message: 'no', code: 'x' } } })
    await clock.advance(62_000)
    expect(sender.bodies()).toMatchObject([
      { type: 'run.failed', error: { message: 'no', code: 'x' } },
    ])
    expect(sender.bodies()[0]).not.toHaveProperty('output')
  })

  test('[R17] three failures and then a success: by the schedule, with one id, acknowledged once', async () => {
    const { end, told, clock, sender, world } = await open()
    sender.next.push(...Array(3).fill(failed('status_500')))
    await end()
    await clock.advance(HOUR)
    expect(new Set(sender.sent.map(({ id }) => id)).size).toBe(1)
    expectSchedule(
      sender.sent.map(({ at }) => at),
      RETRY_MS.slice(0, 3),
    )
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
    expect(world.nodes[0]?.log.at('info')).toEqual(Array(3).fill('delivery.try_failed'))
  })

  test('after the last of seven tries it is failed, and nothing is sent any more', async () => {
    const { end, told, clock, sender, world, only } = await open()
    sender.outcome = failed('econnrefused')
    await end()
    await clock.advance(10 * HOUR)
    expectSchedule(
      sender.sent.map(({ at }) => at),
      RETRY_MS,
    )
    expect(await told()).toEqual(['pending ada', 'failed 7 econnrefused'])
    expect(await only()).toMatchObject({ status: 'failed', attempts: 7, reason: 'econnrefused' })
    await clock.advance(10 * HOUR)
    expect(sender.sent).toHaveLength(7)
    expect(world.nodes[0]?.log.at('warn')).toEqual(['delivery.failed'])
  })

  test('a receiver that wants it never again is not asked again', async () => {
    const { end, told, clock, sender } = await open()
    sender.outcome = { kind: 'refused', reason: 'status_410' }
    await end()
    await clock.advance(10 * HOUR)
    expect(sender.sent).toHaveLength(1)
    expect(await told()).toEqual(['pending ada', 'failed 1 status_410'])
  })

  test.for([
    ['more patience than the schedule has', 10 * MINUTE, 10 * MINUTE],
    ['less', 1000, 5000],
    ['more than anybody has', 1000 * HOUR, 6 * HOUR],
  ] as const)('a receiver that asks for %s', async ([, askedMs, gapMs]) => {
    const { end, clock, sender } = await open()
    sender.next.push(failed('status_503', askedMs))
    await end()
    await clock.advance(10 * HOUR)
    expectSchedule(
      sender.sent.map(({ at }) => at),
      [gapMs],
    )
  })

  test('[invariant 7] many nodes send it once, however long the receiver takes', async () => {
    const { end, told, clock, sender, world } = await open()
    for (let node = 0; node < 3; node++) world.node({ sender })
    sender.hold()
    await end()
    await clock.advance(61_500 + 20_000)
    expect(sender.sent).toHaveLength(1)
    sender.release()
    await clock.advance(HOUR)
    expect(sender.sent).toHaveLength(1)
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })

  test('a node that dies while it sends leaves it to another', async () => {
    const { end, told, clock, sender, node, world } = await open()
    sender.hold()
    await end()
    await clock.advance(62_000)
    expect(sender.sent).toHaveLength(1)
    // What it holds stays unanswered: it is dead.
    node.sweeper.close()
    const other = new FakeSender(() => clock.now())
    world.node({ sender: other })
    await clock.advance(35_000)
    expect(other.sent.map(({ id }) => id)).toEqual(sender.sent.map(({ id }) => id))
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })

  test('one that nodes die of again and again is given up', async () => {
    const { end, told, clock, sender, node } = await open()
    // Whatever is the matter: its content cannot be made.
    vi.spyOn(node.views, 'at').mockImplementation(() => new Promise(() => undefined))
    await end()
    await clock.advance(62_000)
    node.sweeper.close()
    vi.restoreAllMocks()
    expect(sender.sent).toEqual([])
    for (let death = 1; death < RETRY_MS.length + 1; death++) {
      await run(node.ports.store, claimTry(await claimOver(), 30_000))
    }
    await node.courier.due(await dueNow())
    await clock.advance(0)
    expect(sender.sent).toEqual([])
    expect(await told()).toEqual(['pending ada', 'failed 8 interrupted'])

    async function dueNow() {
      await clock.advance(31_000)
      const [due] = await node.ports.store.due(1)
      if (due === undefined) throw new Error('nothing is due')
      return due
    }
    async function claimOver() {
      const { session, deadline, at } = await dueNow()
      return { session, id: deadline.slice('delivery:'.length), at }
    }
  })

  test('a try that could outlive its claim does not begin', async () => {
    const { end, told, clock, sender, node } = await open()
    const { views } = node
    const at = views.at.bind(views)
    let slow = true
    vi.spyOn(views, 'at').mockImplementation(async (session) => {
      if (slow) await clock.sleep(20_000)
      slow = false
      return at(session)
    })
    await end()
    await clock.advance(62_000 + 21_000)
    expect(sender.sent).toEqual([])
    await clock.advance(12_000)
    expect(sender.sent).toHaveLength(1)
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })

  test('a node that goes down waits a moment for its sends, and leaves the rest to others', async () => {
    const { end, told, clock, sender, node, world, only } = await open()
    sender.hold()
    await end()
    await clock.advance(62_000)
    node.sweeper.close()
    await clock.resolve(node.courier.close(), 5000)
    expect(sender.busy).toBe(0)
    expect(await told()).toEqual(['pending ada'])
    // That says nothing of the receiver.
    expect((await only()).reason).toBeUndefined()
    sender.release()
    world.node({ sender })
    await clock.advance(MINUTE)
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })

  test('a read while it is sent settles it, whatever the receiver says', async () => {
    for (const outcome of [{ kind: 'taken' } as const, failed('status_500')]) {
      const { end, told, clock, sender, read } = await open()
      sender.next.push(outcome)
      sender.hold()
      await end()
      await clock.advance(62_000)
      await read('ada')
      sender.release()
      await clock.advance(10 * HOUR)
      expect(sender.sent).toHaveLength(1)
      expect(await told()).toEqual(['pending ada', 'acked read'])
    }
  })

  test('a slow receiver costs a bounded number of sends, and the other deadlines nothing', async () => {
    const { end, told, clock, sender, node, store, world } = await open()
    sender.hold()
    for (let i = 0; i < 60; i++) await end({ name: `r${i}` })
    await clock.advance(65_000)
    expect([sender.busy, sender.most]).toEqual([16, 16])
    const expire = { deadline: 'expire', inMs: 1000 }
    await store.commit({ session: SESSION, deadlines: [expire] })
    const seen = vi.spyOn(node.keeper, 'due').mockResolvedValue()
    await clock.advance(3000)
    expect(seen).toHaveBeenCalled()
    seen.mockRestore()
    await store.commit({ session: SESSION, deadlines: [{ deadline: 'expire', inMs: null }] })
    sender.release()
    await clock.advance(MINUTE)
    expect((await told()).filter((line) => line === 'acked webhook')).toHaveLength(60)
    expect(sender.sent).toHaveLength(60)
    expect(sender.most).toBeLessThanOrEqual(16)
    expect(world.nodes[0]?.log.at('warn')).toEqual([])
  })

  test('thousands that are due at once cost little while a receiver is slow, and are sent one after the other as it takes them', async () => {
    const { clock, sender, store, world } = await open()
    sender.hold()
    const COUNT = 3000
    const writes = Array.from({ length: COUNT }, (_, n) => ({
      field: `delivery:d${n}`,
      value: JSON.stringify({
        run: 'r',
        to: 'ada',
        ended: 'finished',
        status: 'pending',
        attempts: 0,
      }),
    }))
    const deadlines = writes.map((_, n) => ({ deadline: `delivery:d${n}`, inMs: 0 }))
    await store.commit({ session: SESSION, writes, deadlines })
    const commits = vi.spyOn(store, 'commit')
    await clock.advance(28_000)
    expect(sender.most).toBe(16)
    // Each is put off twice at most.
    expect(commits.mock.calls.length).toBeLessThan(2 * COUNT + 100)
    sender.release()
    await clock.advance(5000)
    expect(sender.sent).toHaveLength(COUNT)
    expect(sender.most).toBe(16)
    expect(world.nodes[0]?.log.at('warn')).toEqual([])
  })

  test('[P-15.3] a result comes from the log, or from the view where that dropped it, and else is left out', async () => {
    const { end, clock, sender, store, node } = await open()
    await end({ deliverAfterMs: HOUR })
    await end({ name: 'r2', deliverAfterMs: 2 * HOUR })
    for (let i = 0; i < 60; i++) await end({ name: `later${i}`, deliverTo: [] })
    await end({ name: 'r3', deliverAfterMs: 3 * HOUR })
    expect((await node.views.at(SESSION)).runs.has('r1')).toBe(false)
    await clock.advance(HOUR + 2000)
    expect(sender.bodies()).toMatchObject([{ run: 'r1', output: { answer: 42 } }])
    await node.views.persist(SESSION, 0, 'save')
    const { head } = await node.sessions.head(SESSION)
    const all = { maxEvents: 1, maxBytes: null, maxAgeMs: null, notAfter: head, limit: 1000 }
    await store.trim(SESSION, all)
    await clock.advance(HOUR)
    expect(sender.bodies()[1]).toMatchObject({ run: 'r2', to: 'ada', omitted: true })
    expect(sender.bodies()[1]).not.toHaveProperty('output')
    await clock.advance(HOUR)
    expect(sender.bodies()[2]).toMatchObject({ run: 'r3', output: { answer: 42 } })
  })

  test('[P-15.3] a result that is too large is left out', () => {
    const record = {
      run: 'r',
      to: 'ada',
      ended: 'finished',
      status: 'pending',
      attempts: 1,
    } as const
    const body = (length: number): Record<string, unknown> =>
      JSON.parse(
        webhookBody(SESSION, 'd', record, undefined, JSON.stringify('€'.repeat(length))),
      ) as Record<string, unknown>
    expect(body(80_000)['output']).toHaveLength(80_000)
    expect(body(90_000)).toMatchObject({ delivery: 'd', omitted: true })
    expect(body(90_000)).not.toHaveProperty('output')
  })
})

describe('[P-15.2] without a webhook', () => {
  test('a delivery waits for its person, without a deadline', async () => {
    const { end, told, clock, store, read } = await open({ webhook: false })
    await end()
    await clock.advance(HOUR)
    expect(await store.due(10)).toEqual([])
    expect(await told()).toEqual(['pending ada'])
    await read('ada')
    expect(await told()).toEqual(['pending ada', 'acked read'])
  })

  test('what waited before there was one is sent by a replay', async () => {
    const { end, told, clock, node, world, only } = await open({ webhook: false })
    await end()
    await clock.advance(HOUR)
    node.close()
    const sender = new FakeSender(() => clock.now())
    const after = world.node({ sender })
    await after.deliveries.replay(SESSION, (await only()).delivery)
    await clock.advance(2000)
    expect(sender.sent).toHaveLength(1)
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })
})

describe('[P-15.4] replays', () => {
  async function deadLetter() {
    const opened = await open()
    opened.sender.outcome = { kind: 'refused', reason: 'status_410' }
    await opened.end()
    await opened.clock.advance(62_000)
    return { ...opened, id: (await opened.only()).delivery }
  }

  test('a failed one is sent again, from the first try on', async () => {
    const { id, node, told, clock, sender, only } = await deadLetter()
    const before = await only()
    sender.outcome = failed('status_500')
    expect(await node.deliveries.replay(SESSION, id)).toMatchObject({
      status: 'pending',
      attempts: 0,
      serial: before.serial,
      at: before.at,
    })
    await clock.advance(10 * HOUR)
    expect(sender.sent).toHaveLength(1 + 7)
    sender.outcome = { kind: 'taken' }
    await node.deliveries.replay(SESSION, id)
    await clock.advance(2000)
    expect(await told()).toEqual([
      'pending ada',
      'failed 1 status_410',
      'pending ada',
      'failed 7 status_500',
      'pending ada',
      'acked webhook',
    ])
    expect(new Set(sender.sent.map((one) => one.id))).toEqual(new Set([id]))
  })

  test('a failed one is acknowledged by a read', async () => {
    const { told, read, node } = await deadLetter()
    await read('ada')
    expect(await told()).toEqual(['pending ada', 'failed 1 status_410', 'acked read'])
    expect(await node.deliveries.list(SESSION)).toEqual([])
  })

  test('one that waits is sent at once', async () => {
    const { end, clock, sender, node, only, told } = await open()
    await end()
    await node.deliveries.replay(SESSION, (await only()).delivery)
    await clock.advance(2000)
    expect(sender.sent).toHaveLength(1)
    expect(await told()).toEqual(['pending ada', 'acked webhook'])
  })

  test('one that is on its way, or acknowledged, or unknown is not', async () => {
    const { end, clock, sender, node, only } = await open()
    const replay = (id: string) => refusal(node.deliveries.replay(SESSION, id))
    sender.next.push(failed('status_500'))
    await end()
    const { delivery } = await only()
    await clock.advance(62_000)
    expect(await replay(delivery)).toBe('delivery_closed')
    await clock.advance(MINUTE)
    expect(await replay(delivery)).toBe('delivery_closed')
    expect(await replay('nobody')).toBe('delivery_not_found')
    expect(await refusal(node.deliveries.replay('none' as typeof SESSION, delivery))).toBe(
      'session_not_found',
    )
  })

  test('of those that failed the latest fifty are listed, as in the view; older ones can be replayed by their id', async () => {
    const { end, clock, sender, node, only } = await open()
    sender.outcome = { kind: 'refused', reason: 'status_410' }
    await end({ name: 'first' })
    const { delivery: first } = await only()
    for (let i = 0; i < 55; i++) await end({ name: `r${i}` })
    await clock.advance(2 * MINUTE)
    expect((await listed(node)).length).toBe(50)
    expect(await listed(node)).toEqual(await inView(node))
    expect(await listed(node)).not.toContain(first)
    await node.deliveries.replay(SESSION, first)
    expect(await listed(node)).toContain(first)
    expect(await listed(node)).toEqual(await inView(node))
  })
})

async function listed(node: SimNode): Promise<string[]> {
  return (await node.deliveries.list(SESSION)).map(({ delivery }) => delivery)
}

async function inView(node: SimNode): Promise<string[]> {
  return [...(await node.views.at(SESSION)).deliveries.keys()]
}

/** That tries came when they should: not before, and not long after; the sweeper looks once a second or so. */
function expectSchedule(at: readonly number[], gapsMs: readonly number[]): void {
  expect(at).toHaveLength(gapsMs.length + 1)
  for (const [index, gapMs] of gapsMs.entries()) {
    const really = (at[index + 1] ?? 0) - (at[index] ?? 0)
    expect(really).toBeGreaterThanOrEqual(gapMs)
    expect(really).toBeLessThanOrEqual(gapMs * 1.2 + 2000)
  }
}
