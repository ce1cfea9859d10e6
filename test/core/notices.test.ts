import { describe, expect, test, vi } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { claimNotice } from '../../src/core/transitions/notice.ts'
import { WEBHOOK_EVENTS, type WebhookEvent } from '../../src/core/webhook.ts'
import { endRun } from '../support/ended-run.ts'
import { failed, FakeSender } from '../support/fake-sender.ts'
import { RETRY_MS } from '../support/sim-node.ts'
import type { FakeSocket } from '../support/sim-socket.ts'
import { ADA, agentAt, sendAt } from './run-kit.ts'
import { BY, grant, SESSION, World } from './world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** After an input's wait: how late the sweeper may look. */
const TOLD_MS = 3000

async function open({ events = WEBHOOK_EVENTS }: { events?: readonly WebhookEvent[] } = {}) {
  const world = new World()
  const sender = new FakeSender(() => world.clock.now())
  const webhookEvents = new Set(events)
  const start = () => world.node({ sender, webhookEvents })
  const node = start()
  await world.session()
  const { clock, store, random } = world
  const send = sendAt(node)
  const take = async (input = 'i1'): Promise<void> => {
    const { epoch } = await agentAt(node).start({ run: `for-${input}` })
    const claim = { run: `for-${input}`, epoch: epoch ?? 0 }
    await node.inputs.deliver({ session: SESSION, by: BY, input, claim })
  }
  /** A person's page, or whoever's. */
  const enter = async (member: string, change: Parameters<typeof grant>[0] = {}, at = node) => {
    const socket = at.connect(grant({ subject: member, ...change }))
    socket.ask({ op: 'attach', session: SESSION, presence: { member } })
    await clock.settle()
    return socket
  }
  const leave = async (socket: FakeSocket): Promise<void> => {
    socket.ask({ op: 'detach', session: SESSION })
    await clock.settle()
  }
  const told = (): unknown[] => sender.bodies().map(({ type }) => type)
  const list = () => node.notices.list(SESSION)
  return { world, sender, node, start, clock, store, random, send, take, enter, leave, told, list }
}

describe('[P-17.1] an input that waits', () => {
  test('is told once it has waited for as long as it may, with its data as the bytes that came', async () => {
    const { clock, sender, send, world, list } = await open()
    await send({ rawParts: '[]', rawData: '{"n": 1.00}', expiresInMs: HOUR })
    await clock.advance(900)
    expect(sender.sent).toEqual([])
    await clock.advance(TOLD_MS)
    const event = (await world.log()).find(({ type }) => type === 'input.received')
    const [message] = sender.sent
    expect(sender.bodies()).toEqual([
      {
        type: 'input.received',
        session: SESSION,
        notice: message?.id,
        input: 'i1',
        mode: 'queue',
        message: 'i1',
        expiresAt: expect.any(Number),
        by: 'ada',
        serial: event?.serial,
        at: event?.at,
        data: { n: 1 },
      },
    ])
    expect(message?.body).toContain('"data":{"n": 1.00}')
    expect(await list()).toEqual([
      { notice: message?.id, type: 'input.received', input: 'i1', status: 'told', attempts: 1 },
    ])
  })

  test('that it was told takes it from nobody: it waits until it is delivered, and is not told again', async () => {
    const { clock, sender, send, node, take, list, world } = await open()
    await send()
    await clock.advance(10 * HOUR)
    expect(sender.sent).toHaveLength(1)
    expect(await node.inputs.waiting(SESSION, { waitMs: 0 })).toHaveLength(1)
    await take()
    expect(await list()).toEqual([])
    expect(await world.field('notice:input:i1')).toBeNull()
  })

  test('is not told when it is taken, cancelled or expired in time', async () => {
    const { clock, sender, send, take, node, store } = await open()
    await send()
    await take()
    await send({ input: 'i2' })
    await node.inputs.cancel({ session: SESSION, input: 'i2', by: ADA })
    await send({ input: 'i3', expiresInMs: 1 })
    await node.inputs.due({ session: SESSION, deadline: 'input:i3', at: clock.now() + 1 })
    await clock.advance(MINUTE)
    expect(sender.sent).toEqual([])
    expect((await store.due(10)).filter(({ deadline }) => deadline.startsWith('notice'))).toEqual(
      [],
    )
  })

  test('one that failed is tried by the schedule, with one id, until it is taken', async () => {
    const { clock, sender, send, take, list } = await open()
    sender.outcome = failed('status_503')
    await send()
    await clock.advance(TOLD_MS + 5000 * 1.2 + TOLD_MS)
    expect(sender.sent).toHaveLength(2)
    expect(await list()).toMatchObject([{ status: 'pending', attempts: 2, reason: 'status_503' }])
    await take()
    await clock.advance(24 * HOUR)
    expect(sender.sent).toHaveLength(2)
    expect(new Set(sender.sent.map(({ id }) => id)).size).toBe(1)
    expect(await list()).toEqual([])
  })

  test('after the last try it has failed, which is listed and logged; the input still waits', async () => {
    const { clock, sender, send, node, list } = await open()
    sender.outcome = failed('econnrefused')
    await send()
    await clock.advance(24 * HOUR)
    expect(sender.sent).toHaveLength(RETRY_MS.length + 1)
    expect(await list()).toMatchObject([
      { input: 'i1', status: 'failed', attempts: RETRY_MS.length + 1, reason: 'econnrefused' },
    ])
    expect(node.log.at('warn')).toEqual(['notice.failed'])
    expect(await node.inputs.waiting(SESSION, { waitMs: 0 })).toHaveLength(1)
  })

  test('[P-17.5] one that has failed is sent again where somebody asks for it, from the first try on, under its id', async () => {
    const { clock, sender, send, node, list } = await open()
    sender.outcome = failed('econnrefused')
    await send()
    await clock.advance(24 * HOUR)
    const [{ notice } = { notice: '' }] = await list()
    const tries = sender.sent.length
    expect(await node.notices.replay(SESSION, notice)).toEqual({
      notice,
      type: 'input.received',
      input: 'i1',
      status: 'pending',
      attempts: 0,
    })
    await clock.advance(TOLD_MS)
    expect(sender.sent.length).toBe(tries + 1)
    expect(await list()).toMatchObject([{ notice, status: 'pending', attempts: 1 }])
    sender.outcome = { kind: 'taken' }
    await clock.advance(MINUTE)
    expect(await list()).toMatchObject([{ notice, status: 'told', attempts: 2 }])
    expect(new Set(sender.sent.map(({ id }) => id))).toEqual(new Set([notice]))
  })

  test('[P-17.5] one that is on its way, was told, or whose input was taken is not sent again', async () => {
    const { clock, sender, send, take, node, list } = await open()
    sender.outcome = failed('status_503')
    await send()
    await clock.advance(TOLD_MS)
    const [{ notice } = { notice: '' }] = await list()
    const replay = () => node.notices.replay(SESSION, notice)
    await expect(replay()).rejects.toMatchObject({ code: 'notice_closed' })
    await clock.advance(24 * HOUR)
    await replay()
    await expect(replay()).rejects.toMatchObject({ code: 'notice_closed' })
    sender.outcome = { kind: 'taken' }
    await clock.advance(MINUTE)
    await expect(replay()).rejects.toMatchObject({ code: 'notice_closed' })
    await take()
    await expect(replay()).rejects.toMatchObject({ code: 'notice_not_found' })
  })

  test('one that is taken while it is on its way is settled by that, whatever the receiver says', async () => {
    for (const outcome of [{ kind: 'taken' } as const, failed('status_500')]) {
      const { clock, sender, send, take, list, store } = await open()
      sender.next.push(outcome)
      sender.hold()
      await send()
      await clock.advance(TOLD_MS)
      await take()
      sender.release()
      await clock.advance(HOUR)
      expect(sender.sent).toHaveLength(1)
      expect(await list()).toEqual([])
      const left = (await store.due(10)).filter(({ deadline }) => deadline.startsWith('notice'))
      expect(left).toEqual([])
    }
  })

  test('inputs of the same name in two sessions are two notices', async () => {
    const { clock, sender, send, world } = await open()
    const other = 'other' as typeof SESSION
    await world.session(undefined, other)
    await send()
    await send({ session: other })
    await clock.advance(TOLD_MS)
    expect(new Set(sender.sent.map(({ id }) => id)).size).toBe(2)
  })

  test('data that is too large for a body is left out', async () => {
    const world = new World({ maxEventBytes: 1024 * 1024 })
    const sender = new FakeSender(() => world.clock.now())
    const node = world.node({ sender })
    await world.session()
    const rawData = JSON.stringify('€'.repeat(87_370))
    const input = { session: SESSION, by: ADA, input: 'i1', mode: 'queue' } as const
    await node.inputs.receive({ ...input, rawParts: null, rawData })
    await node.inputs.receive({ ...input, input: 'i2', rawParts: null, rawData: null })
    await world.clock.advance(TOLD_MS)
    expect(sender.bodies().map(({ input: id, omitted }) => [id, omitted])).toEqual([
      ['i1', true],
      ['i2', undefined],
    ])
  })

  test('where retention has dropped its event, the view says what it said', async () => {
    const { clock, sender, send, node, store } = await open()
    sender.next.push(failed('status_500'))
    await send({ rawData: '{"n": 1.00}', parent: null })
    await clock.advance(TOLD_MS)
    await node.views.persist(SESSION, 0, 'save')
    const { head } = await node.sessions.head(SESSION)
    const all = { maxEvents: 0, maxBytes: null, maxAgeMs: null, notAfter: head, limit: 1000 }
    await store.trim(SESSION, all)
    await clock.advance(MINUTE)
    const { at, serial, notice } = sender.bodies()[0] ?? {}
    const said = { type: 'input.received', session: SESSION, input: 'i1', mode: 'queue', by: 'ada' }
    const body = { ...said, at, serial, notice, data: { n: 1 }, parent: null }
    expect(sender.bodies()).toEqual([body, body])
  })
})

describe('[P-17.2] [S0-17] [S0-18] who is there', () => {
  test('is told when the first person comes, and when the last has left', async () => {
    const { clock, sender, enter, leave, told, world } = await open()
    const ada = await enter('ada')
    const ben = await enter('ben', { kind: 'supervisor' })
    await clock.advance(TOLD_MS)
    expect(sender.bodies()).toEqual([
      {
        type: 'presence.attached',
        session: SESSION,
        notice: sender.sent[0]?.id,
        member: 'ada',
        subject: 'ada',
        kind: 'human',
        serial: expect.any(Number),
        at: expect.any(Number),
      },
    ])
    await leave(ada)
    await clock.advance(HOUR)
    expect(told()).toEqual(['presence.attached'])
    await leave(ben)
    await clock.advance(TOLD_MS)
    expect(sender.bodies()[1]).toMatchObject({ type: 'presence.empty', member: 'ben' })
    const [came, left] = sender.bodies().map(({ serial }) => serial as number)
    const events = (await world.log()).filter(({ type }) => type.startsWith('member.'))
    expect(came).toBeGreaterThanOrEqual(events[0]?.serial ?? Infinity)
    expect(came).toBeLessThan(events[3]?.serial ?? 0)
    expect(left).toBeGreaterThanOrEqual(events[3]?.serial ?? Infinity)
  })

  test('an agent is nobody', async () => {
    const { clock, sender, enter, leave } = await open()
    const bot = await enter('bot', { kind: 'agent' })
    await leave(bot)
    await clock.advance(MINUTE)
    expect(sender.sent).toEqual([])
  })

  test('a socket that is lost says nothing until its member has left; one that is back in time nothing at all', async () => {
    const { clock, enter, told, node } = await open()
    const first = await enter('ada')
    first.drop()
    await clock.advance(100_000)
    const second = await enter('ada')
    await clock.advance(10 * MINUTE)
    expect(told()).toEqual(['presence.attached'])
    second.drop()
    await clock.advance(118_000)
    expect(told()).toEqual(['presence.attached'])
    await clock.advance(6000)
    expect(told()).toEqual(['presence.attached', 'presence.empty'])
    expect(node.log.at('warn')).toEqual([])
  })

  test('the node that saw the last socket dies: another tells that nobody is left', async () => {
    const { clock, enter, told, node, start } = await open()
    await enter('ada')
    await clock.advance(TOLD_MS)
    node.close()
    start()
    await clock.advance(10 * MINUTE)
    expect(told()).toEqual(['presence.attached', 'presence.empty'])
  })

  test('many nodes tell it once', async () => {
    const { clock, enter, told, start } = await open()
    for (let i = 0; i < 3; i++) start()
    await enter('ada')
    await clock.advance(HOUR)
    expect(told()).toEqual(['presence.attached'])
  })

  test('a change that could not be told is overtaken by the next, with another id and a higher serial', async () => {
    const { clock, sender, enter, leave, told, list } = await open()
    sender.next.push(failed('status_500'))
    const ada = await enter('ada')
    await clock.advance(TOLD_MS)
    await leave(ada)
    await clock.advance(HOUR)
    expect(told()).toEqual(['presence.attached', 'presence.empty'])
    const [first, second] = sender.bodies() as { notice: string; serial: number }[]
    expect(second?.notice).not.toBe(first?.notice)
    expect(second?.serial).toBeGreaterThan(first?.serial ?? Infinity)
    expect(await list()).toMatchObject([{ type: 'presence.empty', status: 'told', attempts: 1 }])
  })

  test('[P-17.5] what has failed is sent again where somebody asks for it, as it is then', async () => {
    const { clock, sender, enter, node, list } = await open({ events: ['presence.attached'] })
    sender.outcome = failed('econnrefused')
    await enter('ada')
    await clock.advance(24 * HOUR)
    const [failure] = await list()
    expect(failure).toMatchObject({ type: 'presence.attached', status: 'failed' })
    sender.outcome = { kind: 'taken' }
    await node.notices.replay(SESSION, failure?.notice ?? '')
    await clock.advance(TOLD_MS)
    expect(sender.bodies().at(-1)).toMatchObject({ notice: failure?.notice, subject: 'ada' })
    expect(await list()).toMatchObject([{ status: 'told', attempts: 1 }])
  })

  test('what comes of a try that was overtaken says nothing of what came after', async () => {
    for (const outcome of [{ kind: 'taken' } as const, failed('status_500')]) {
      const { clock, sender, enter, leave, told, list } = await open()
      sender.next.push(outcome, failed('status_503'))
      sender.hold()
      const ada = await enter('ada')
      await clock.advance(TOLD_MS)
      await leave(ada)
      sender.release()
      await clock.advance(TOLD_MS)
      expect(await list()).toMatchObject([{ type: 'presence.empty', status: 'pending' }])
      await clock.advance(HOUR)
      expect(told()).toEqual(['presence.attached', 'presence.empty', 'presence.empty'])
      expect(await list()).toMatchObject([{ type: 'presence.empty', status: 'told', attempts: 2 }])
    }
  })

  test('a member that becomes a person, or ceases to be one, counts from then on', async () => {
    const { clock, enter, leave, told, node } = await open()
    const socket = await enter('ada', { kind: 'any' })
    const say = (kind: string) =>
      socket.ask({ op: 'presence', session: SESSION, presence: { member: 'ada', kind } })
    await clock.advance(MINUTE)
    expect(told()).toEqual([])
    say('human')
    await clock.advance(MINUTE)
    expect(told()).toEqual(['presence.attached'])
    say('agent')
    await clock.advance(MINUTE)
    expect(told()).toEqual(['presence.attached', 'presence.empty'])
    await leave(socket)
    await clock.advance(MINUTE)
    expect(told()).toHaveLength(2)
    expect(node.log.at('warn')).toEqual([])
  })

  test('many who come and go at once are counted exactly', async () => {
    const { clock, enter, leave, told, world, start } = await open()
    const nodes = [start(), start()]
    const names = Array.from({ length: 12 }, (_, i) => `m${i}`)
    const sockets = await Promise.all(names.map((name, i) => enter(name, {}, nodes[i % 2])))
    await clock.advance(MINUTE)
    expect(await world.field('members')).toBe('12 12')
    await Promise.all(sockets.map(leave))
    await clock.advance(MINUTE)
    expect(await world.field('members')).toBe('0 0')
    expect(told()).toEqual(['presence.attached', 'presence.empty'])
  })

  test('a session that is removed says nothing', async () => {
    const { clock, enter, told, node, store } = await open()
    await enter('ada')
    await clock.advance(TOLD_MS)
    await node.sessions.remove(SESSION)
    await clock.advance(HOUR)
    expect(told()).toEqual(['presence.attached'])
    expect(await store.due(10)).toEqual([])
  })
})

describe('[P-17.3] what is sent at all', () => {
  test('is what the setting names, and nothing else', async () => {
    const { clock, send, enter, leave, told, list } = await open({ events: ['presence.empty'] })
    await send()
    const ada = await enter('ada')
    await clock.advance(MINUTE)
    expect(told()).toEqual([])
    expect(await list()).toEqual([])
    await leave(ada)
    await clock.advance(MINUTE)
    expect(told()).toEqual(['presence.empty'])
  })

  test('a change that is not told takes an older one out of its waiting', async () => {
    const { clock, enter, leave, told, sender } = await open({ events: ['presence.empty'] })
    sender.outcome = failed('status_500')
    await leave(await enter('ada'))
    await clock.advance(TOLD_MS)
    expect(told()).toEqual(['presence.empty'])
    await enter('ada')
    await clock.advance(HOUR)
    expect(told()).toEqual(['presence.empty'])
  })

  test('[P-15.2] a result that is not named waits until it is read', async () => {
    const { clock, store, random, told, node } = await open({ events: ['run.failed'] })
    const error = { message: 'no' }
    await endRun(store, random, SESSION, { name: 'r1', deliverTo: ['ada'] })
    await endRun(store, random, SESSION, {
      name: 'r2',
      deliverTo: ['ada'],
      ending: { status: 'failed', error },
    })
    await clock.advance(HOUR)
    expect(told()).toEqual(['run.failed'])
    expect(await node.deliveries.list(SESSION)).toMatchObject([{ run: 'r1', status: 'pending' }])
    expect((await store.due(10)).filter(({ deadline }) => deadline.startsWith('delivery'))).toEqual(
      [],
    )
  })

  test('without a webhook nothing of it is kept', async () => {
    const world = new World()
    const node = world.node()
    await world.session()
    const input = { session: SESSION, by: ADA, input: 'i1', mode: 'queue' } as const
    await node.inputs.receive({ ...input, rawParts: null, rawData: null })
    const socket = node.connect(grant())
    socket.ask({ op: 'attach', session: SESSION, presence: { member: 'ada' } })
    await world.clock.advance(10_000)
    expect(await node.notices.list(SESSION)).toEqual([])
    expect(await world.field('notice:presence')).toBeNull()
  })

  test('what was due before the webhook was taken away is dropped', async () => {
    const { clock, send, node, world, enter, store } = await open()
    node.sweeper.close()
    await enter('ada')
    await send()
    const without = world.node()
    await clock.advance(10_000)
    expect(await without.notices.list(SESSION)).toEqual([])
    const due = (await store.due(10)).filter(({ deadline }) => deadline.startsWith('notice'))
    expect(due).toEqual([])
  })

  test('[invariant 7] a node that dies while it sends leaves it to another, with the same id', async () => {
    const { clock, send, sender, node, world } = await open()
    sender.hold()
    await send()
    await clock.advance(TOLD_MS)
    node.sweeper.close()
    const other = new FakeSender(() => clock.now())
    world.node({ sender: other })
    await clock.advance(35_000)
    expect(other.sent.map(({ id }) => id)).toEqual(sender.sent.map(({ id }) => id))
  })

  test('one that nodes die of again and again is given up', async () => {
    const { clock, send, sender, node, list, random } = await open()
    vi.spyOn(node.views, 'at').mockImplementation(() => new Promise(() => undefined))
    await send()
    await clock.advance(TOLD_MS)
    node.sweeper.close()
    vi.restoreAllMocks()
    for (let death = 1; death < RETRY_MS.length + 1; death++) {
      const { at } = await dueNow()
      const claim = { session: SESSION, name: 'input:i1', at, leaseMs: 30_000 }
      const tells = new Set(WEBHOOK_EVENTS)
      await run(node.ports.store, claimNotice({ ...claim, tells }, random))
    }
    await node.courier.due(await dueNow())
    await clock.advance(0)
    expect(sender.sent).toEqual([])
    expect(await list()).toMatchObject([{ status: 'failed', attempts: 8, reason: 'interrupted' }])

    async function dueNow() {
      await clock.advance(31_000)
      const [due] = await node.ports.store.due(1)
      if (due === undefined) throw new Error('nothing is due')
      return due
    }
  })
})
