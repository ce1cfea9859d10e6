import { describe, expect, test } from 'vitest'
import { FIELD } from '../../src/core/record.ts'
import { parseRunText } from '../../src/core/transitions/run-record.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SimNode } from '../support/sim-node.ts'
import { ADA, agentAt, begun, delta, open as openRuns, sendAt } from './run-kit.ts'
import { BY, drafted, refusal, SESSION, World } from './world.ts'

/** What people and agents do with inputs at a node. */
function inputsAt(node: SimNode) {
  const { inputs } = node
  return {
    receive: sendAt(node),
    deliver: (input = 'i1', run = 'r1', epoch = 1, step?: string) =>
      inputs.deliver({
        session: SESSION,
        by: BY,
        input,
        claim: { run, epoch },
        ...(step !== undefined && { step }),
      }),
    cancel: (input = 'i1', reason?: string) =>
      inputs.cancel({
        session: SESSION,
        by: ADA,
        input,
        ...(reason !== undefined && { reason }),
      }),
    waiting: async (): Promise<string[]> =>
      (await inputs.waiting(SESSION, { waitMs: 0 })).map(({ id }) => id),
  }
}

async function open(world?: World) {
  const opened = await openRuns(world)
  return { ...opened, ...inputsAt(opened.node) }
}

const TEXT = '[{"type":"text","text":"stop it"}]'
const facts = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof HeldlineError) return { code: error.code, ...error.facts }
    throw error
  }
  return null
}

describe('an input', () => {
  test('with parts is the user’s message too, in the same commit, to the byte [P-11.1]', async () => {
    const { world, receive, node } = await open()
    const rawData = '{"n":1.00,"n":2}'
    const taken = await receive({ rawParts: TEXT, rawData, expiresInMs: 60_000 })
    expect(taken).toMatchObject({ outcome: 'queued', created: true, serials: [2, 3], input: 'i1' })
    const [, message, received] = await world.log()
    expect(message).toMatchObject({
      type: 'message.completed',
      by: ADA,
      data: { message: 'i1', role: 'user', parts: [{ type: 'text', text: 'stop it' }] },
    })
    expect(received).toMatchObject({
      type: 'input.received',
      by: ADA,
      data: { input: 'i1', mode: 'queue', message: 'i1', expiresAt: world.clock.now() + 60_000 },
    })
    const page = await world.store.read(SESSION, { after: 2, limit: 1, maxBytes: 1e6 })
    expect(page?.events[0]?.text).toContain(`"data":${rawData}}`)
    const [waits] = await node.inputs.waiting(SESSION, { waitMs: 0 })
    expect(waits).toMatchObject({ id: 'i1', message: 'i1', by: 'ada', serial: 3 })
  })

  test('gets an id where none is given', async () => {
    const { node } = await open()
    const words = {
      session: SESSION,
      by: ADA,
      mode: 'queue',
      rawParts: null,
      rawData: '1',
    } as const
    const one = await node.inputs.receive(words)
    const two = await node.inputs.receive(words)
    expect(one.input).not.toBe(two.input)
  })

  test('by the id of a message that exists is refused, and so is a later change of its message [P-3.6]', async () => {
    const { node, receive, world } = await open()
    const say = (type: string, data: object) =>
      node.sessions.append({ session: SESSION, by: ADA, drafts: [drafted(type, data)] })
    await say('message.completed', { message: 'i1', role: 'user', parts: [] })
    expect(await refusal(receive({ rawParts: TEXT }))).toBe('message_exists')
    expect(await world.types()).toEqual(['session.created', 'message.completed'])
    await receive({ input: 'i2', rawParts: TEXT })
    expect(await refusal(say('message.delta', { message: 'i2', text: 'x' }))).toBe('message_closed')
  })

  test('sent again changes nothing and is answered as before, whatever became of it [P-11.1] [S3-07] [R8]', async () => {
    const { receive, start, deliver, cancel, world, node } = await open()
    const first = await receive({ rawParts: TEXT })
    const again = { ...first, created: false }
    expect(await receive({ rawParts: TEXT })).toEqual(again)
    await start()
    await deliver()
    expect(await receive({ rawParts: TEXT })).toEqual(again)
    await receive({ input: 'i2' })
    await cancel('i2')
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await receive({ rawParts: TEXT })).toEqual(again)
    expect(await receive({ input: 'i2' })).toMatchObject({ created: false, outcome: 'queued' })
    const received = (await world.types()).filter((type) => type === 'input.received')
    expect(received).toHaveLength(2)
  })

  test('sent again long after is known all the same, but for its serial', async () => {
    const { receive, world } = await open()
    const { epoch } = await receive({ rawParts: TEXT })
    await world.clock.advance(60 * 60_000)
    expect(await receive({ rawParts: TEXT })).toEqual({
      input: 'i1',
      outcome: 'queued',
      created: false,
      epoch,
      serials: [null, null],
    })
    expect(await refusal(receive({ rawParts: '[]' }))).toBe('idempotency_conflict')
  })

  test('with the id of another is refused [P-2.5]', async () => {
    const { receive } = await open()
    await receive({ rawData: '1' })
    expect(await refusal(receive({ rawData: '2' }))).toBe('idempotency_conflict')
    expect(await refusal(receive({ rawData: '1', mode: 'steer' }))).toBe('idempotency_conflict')
  })

  test('sent from two nodes at once is taken once', async () => {
    const world = new World()
    const { receive } = await open(world)
    const there = inputsAt(world.node())
    const taken = await Promise.all([
      receive({ rawParts: TEXT }),
      there.receive({ rawParts: TEXT }),
      receive({ rawParts: TEXT }),
    ])
    expect(taken.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(taken.map(({ serials }) => serials.join())).size).toBe(1)
    expect(await world.types()).toHaveLength(3)
  })

  test('is refused in a closed session, in one that is not there, over the size and over the number', async () => {
    const limits = { maxInputs: 2, maxInputsBytes: 100, maxEventBytes: 100 }
    const { receive, cancel, node } = await open(new World(limits))
    expect(await refusal(receive({ session: 'none' as typeof SESSION }))).toBe('session_not_found')
    const long = JSON.stringify('x'.repeat(100))
    expect(await refusal(receive({ rawData: long }))).toBe('payload_too_large')
    expect(await refusal(receive({ rawParts: long }))).toBe('payload_too_large')
    await receive({ input: 'i1' })
    await receive({ input: 'i2' })
    expect(await facts(receive({ input: 'i3' }))).toEqual({ code: 'session_limit', maxWaiting: 2 })
    expect(await receive({ input: 'i2' })).toMatchObject({ created: false })
    await cancel('i1')
    await cancel('i2')
    const rawData = JSON.stringify('x'.repeat(60))
    await receive({ input: 'i4', rawData })
    expect(await facts(receive({ input: 'i5', rawData }))).toEqual({
      code: 'session_limit',
      maxBytes: 100,
    })
    await receive({ input: 'i6', rawParts: '[]' })
    await cancel('i4')
    await receive({ input: 'i5', rawData })
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await refusal(receive({ input: 'i3' }))).toBe('session_closed')
  })
})

describe('a queue', () => {
  test('waits for the next run, and lets the one that lives go on [P-11.2] [R10]', async () => {
    const { receive, start, story, waiting } = await open()
    await start()
    expect(await receive()).toMatchObject({ outcome: 'queued' })
    expect(await story()).toEqual(['run.started', 'input.received'])
    expect(await waiting()).toEqual(['i1'])
  })
})

describe('a steer', () => {
  test('is for the run that lives, and does not end it [P-11.2] [R10] [S2-08]', async () => {
    const { receive, start, append, last, status } = await open()
    await start()
    await append([begun('m1'), delta('m1')])
    expect(await receive({ mode: 'steer', run: 'r1' })).toMatchObject({ outcome: 'queued' })
    expect(await last('input.received')).toMatchObject({ data: { mode: 'steer', run: 'r1' } })
    expect(await append([delta('m1', 'goes on')])).toMatchObject({ duplicates: 0 })
    expect(parseRunText((await status()) ?? '').status).toBe('streaming')
  })

  test('where no run lives is a queue [P-11.2]', async () => {
    const { receive, start, finish, last } = await open()
    await receive({ mode: 'steer' })
    expect((await last('input.received'))?.data).toEqual({ input: 'i1', mode: 'queue' })
    await start()
    await finish()
    await receive({ input: 'i2', mode: 'steer', run: 'r1' })
    expect((await last('input.received'))?.data).toEqual({ input: 'i2', mode: 'queue' })
  })

  test('for a run that never was is refused', async () => {
    const { receive } = await open()
    for (const mode of ['queue', 'steer', 'interrupt'] as const) {
      expect(await refusal(receive({ mode, run: 'r9' }))).toBe('run_not_found')
    }
  })
})

describe('an interrupt', () => {
  test('keeps what was said, marks it, and nothing of the run follows [P-11.2] [P-10.8] [R10] [S1-04] [S3-05]', async () => {
    const { receive, start, append, story, world, node, waiting, beat } = await open()
    await start()
    await append([begun('m1'), delta('m1', 'half of')])
    const before = (await world.log()).length
    const taken = await receive({ mode: 'interrupt', rawParts: TEXT })
    expect(taken).toMatchObject({ outcome: 'delivered', created: true })
    expect((await story()).slice(before - 1)).toEqual([
      'message.completed interrupted',
      'run.cancelled',
      'message.completed',
      'input.received',
    ])
    expect(taken.serials).toEqual([before + 3, before + 4])
    expect(await refusal(append([delta('m1', ' it')]))).toBe('run_over')
    expect(await refusal(append([begun('m2')]))).toBe('run_over')
    expect(await beat()).toMatchObject({ live: false, status: 'cancelled', inputs: 1 })
    const view = await node.views.at(SESSION)
    expect(view.messages.get('m1')).toMatchObject({
      status: 'interrupted',
      parts: [{ type: 'text', text: 'half of' }],
    })
    expect(view.messages.get('i1')).toMatchObject({ role: 'user', parent: 'm1' })
    expect((await world.log()).find(({ type }) => type === 'run.cancelled')).toMatchObject({
      by: { subject: 'ada', run: 'r1' },
      data: { run: 'r1', input: 'i1' },
    })
    expect(await waiting()).toEqual(['i1'])
  })

  test('that names none ends all that live; one that names a run ends that one [P-11.2]', async () => {
    const { receive, start, append, status, world } = await open()
    for (const run of ['r1', 'r2', 'r3']) await start({ run })
    await append([begun('m2')], 1, 'r2')
    await receive({ mode: 'interrupt', run: 'r2' })
    expect(await world.field(FIELD.live)).toBe('["r1","r3"]')
    expect(await status('r2')).toBe('1 cancelled')
    await receive({ input: 'i2', mode: 'interrupt' })
    expect(await world.field(FIELD.live)).toBeNull()
    for (const run of ['r1', 'r2', 'r3']) expect(await status(run)).toBe('1 cancelled')
    const ends = (await world.types()).filter((type) => type === 'run.cancelled')
    expect(ends).toHaveLength(3)
  })

  test('for a run that is over is too late, and nothing of it is kept [P-11.2] [R10]', async () => {
    const { receive, start, finish, world, waiting } = await open()
    await start()
    await finish()
    const before = await world.types()
    const late = { mode: 'interrupt', run: 'r1', rawParts: TEXT } as const
    expect(await receive(late)).toMatchObject({ outcome: 'too_late', created: false, serials: [] })
    expect(await world.types()).toEqual(before)
    expect(await waiting()).toEqual([])
    expect(await receive({ mode: 'queue', rawParts: TEXT })).toMatchObject({ outcome: 'queued' })
  })

  test('of a lost run says that nobody shall adopt it', async () => {
    const { receive, start, adopt, clock, status } = await open()
    await start()
    await clock.advance(60_000)
    expect(await status()).toBe('1 lost')
    expect(await receive({ mode: 'interrupt', run: 'r1' })).toMatchObject({ outcome: 'delivered' })
    expect(await refusal(adopt())).toBe('run_over')
  })

  test('where nothing lives waits for the next run', async () => {
    const { receive, waiting } = await open()
    expect(await receive({ mode: 'interrupt' })).toMatchObject({ outcome: 'queued' })
    expect(await waiting()).toEqual(['i1'])
  })

  test('sent again after it ended the run it named says what it did, not that it is too late', async () => {
    const { receive, start, world } = await open()
    await start()
    const words = { mode: 'interrupt', run: 'r1', rawParts: TEXT } as const
    const first = await receive(words)
    const before = await world.types()
    expect(await receive(words)).toEqual({ ...first, created: false })
    expect(await world.types()).toEqual(before)
  })
})

describe('a delivery to a run', () => {
  test('is told with its step, once; by the same run again it changes nothing [P-11.3]', async () => {
    const { receive, start, deliver, last, waiting, story } = await open()
    await receive()
    await start()
    expect(await deliver('i1', 'r1', 1, 'plan')).toEqual({ taken: true })
    expect(await last('input.delivered')).toMatchObject({
      by: { subject: 'key:test', run: 'r1' },
      data: { input: 'i1', run: 'r1', step: 'plan' },
    })
    expect(await waiting()).toEqual([])
    expect(await deliver('i1', 'r1', 1, 'plan')).toEqual({ taken: false })
    expect(await story()).toEqual(['input.received', 'run.started', 'input.delivered'])
  })

  test('is one run’s alone, whoever asks at once [P-11.3]', async () => {
    const world = new World()
    const { receive, start, deliver } = await open(world)
    const there = inputsAt(world.node())
    await receive()
    await start()
    await start({ run: 'r2' })
    const results = await Promise.all([
      facts(deliver('i1', 'r1')),
      facts(there.deliver('i1', 'r2')),
    ])
    expect(results.filter((one) => one === null)).toHaveLength(1)
    const winner = results[0] === null ? 'r1' : 'r2'
    expect(results).toContainEqual({ code: 'input_taken', run: winner })
  })

  test('needs the epoch of a run that lives', async () => {
    const { receive, start, adopt, deliver, finish } = await open()
    await receive()
    expect(await refusal(deliver())).toBe('run_not_found')
    await start()
    await adopt()
    expect(await refusal(deliver('i1', 'r1', 1))).toBe('run_fenced')
    await deliver('i1', 'r1', 2)
    expect(await refusal(deliver('i1', 'r1', 1))).toBe('run_fenced')
    await finish(undefined, 2)
    expect(await deliver('i1', 'r1', 2)).toEqual({ taken: false })
    await receive({ input: 'i2' })
    expect(await refusal(deliver('i2', 'r1', 2))).toBe('run_over')
  })

  test('is a sign of life [P-10.4]', async () => {
    const { receive, start, deliver, clock, status, story } = await open()
    await receive()
    await start()
    await clock.advance(20_000)
    expect(await status()).toBe('1 stalled')
    await deliver()
    expect(await status()).toBe('1 thinking')
    expect((await story()).slice(-2)).toEqual(['run.status thinking', 'input.delivered'])
    await clock.advance(14_000)
    expect(await status()).toBe('1 thinking')
  })

  test('of what is not there, or over, is refused', async () => {
    const { receive, start, deliver, cancel } = await open()
    await start()
    expect(await refusal(deliver())).toBe('input_not_found')
    await receive()
    await cancel()
    expect(await facts(deliver())).toEqual({ code: 'input_not_found', inputStatus: 'cancelled' })
  })
})

describe('taking an input back', () => {
  test('ends it while it waits, and no run of it starts any more [P-11.4]', async () => {
    const { receive, cancel, start, last, waiting } = await open()
    await receive()
    expect(await cancel()).toEqual({ cancelled: true })
    expect(await last('input.expired')).toMatchObject({
      by: ADA,
      data: { input: 'i1', reason: 'cancelled' },
    })
    expect(await waiting()).toEqual([])
    expect(await refusal(start({ trigger: 'i1' }))).toBe('run_over')
    expect(await cancel()).toEqual({ cancelled: false })
  })

  test('cancels the run that it triggered, delivered or not [P-11.4] [R1]', async () => {
    const { receive, cancel, start, deliver, append, status, story } = await open()
    await receive()
    await start({ trigger: 'i1' })
    await deliver()
    await append([begun('m1'), delta('m1')])
    expect(await cancel('i1', 'changed my mind')).toEqual({
      cancelled: true,
      run: 'r1',
      status: 'cancelled',
    })
    expect(await status()).toBe('1 cancelled')
    expect((await story()).slice(-2)).toEqual([
      'message.completed interrupted',
      'run.cancelled changed my mind',
    ])
    expect(await cancel()).toEqual({ cancelled: false, run: 'r1', status: 'cancelled' })
  })

  test('ends both where the run was started and the input still waits', async () => {
    const { receive, cancel, start, status, waiting } = await open()
    await receive()
    await start({ trigger: 'i1' })
    expect(await cancel()).toMatchObject({ cancelled: true, run: 'r1' })
    expect(await waiting()).toEqual([])
    expect(await status()).toBe('1 cancelled')
  })

  test('before anything of it is known refuses its run, and its input comes too late [P-11.4]', async () => {
    const { receive, cancel, start, world } = await open()
    expect(await cancel()).toEqual({ cancelled: true })
    expect(await world.types()).toEqual(['session.created'])
    expect(await refusal(start({ trigger: 'i1' }))).toBe('run_over')
    expect(await receive()).toMatchObject({ outcome: 'too_late', created: false })
    expect(await world.types()).toEqual(['session.created'])
  })

  test('while it is on its way leaves nothing waiting, whichever comes first', async () => {
    for (const first of ['cancel', 'receive']) {
      const { receive, cancel, start, waiting } = await open()
      const deeds = [() => cancel(), () => receive()]
      if (first === 'receive') deeds.reverse()
      await Promise.all<unknown>(deeds.map((deed) => deed()))
      expect(await waiting()).toEqual([])
      expect(await refusal(start({ trigger: 'i1' }))).toBe('run_over')
    }
  })

  test('of one that another run has taken changes nothing', async () => {
    const { receive, cancel, start, deliver, status } = await open()
    await receive({ mode: 'steer' })
    await start()
    await deliver()
    expect(await cancel()).toEqual({ cancelled: false })
    expect(await status()).toBe('1 thinking')
  })
})

describe('an input that expires', () => {
  test('is over once, whichever nodes look, and not where it was delivered in time [P-11.4]', async () => {
    const world = new World()
    const { receive, start, deliver, cancel } = await open(world)
    world.node()
    await receive({ input: 'i1', expiresInMs: 5000 })
    await receive({ input: 'i2', expiresInMs: 5000 })
    await receive({ input: 'i3', expiresInMs: 5000 })
    await start({ leaseMs: 3_600_000 })
    await deliver('i2')
    await cancel('i3')
    await world.clock.advance(20_000)
    const ended = (await world.log()).filter(({ type }) => type === 'input.expired')
    expect(ended.map(({ data, by }) => [data, by])).toEqual([
      [{ input: 'i3', reason: 'cancelled' }, ADA],
      [{ input: 'i1', reason: 'expired' }, { subject: 'server' }],
    ])
    expect(await facts(deliver('i1'))).toEqual({ code: 'input_not_found', inputStatus: 'expired' })
    expect(await world.field(FIELD.inputs)).toBeNull()
    expect(await world.store.due(10)).toEqual([])
  })
})

describe('waiting for an input', () => {
  test('ends with one that comes by another node, and looks at nothing meanwhile but the log [P-11.3] [S4-11]', async () => {
    const world = new World()
    const { receive, start, append, clock } = await open(world)
    const there = world.node()
    await start()
    const waiting = there.inputs.waiting(SESSION, { waitMs: 30_000 })
    await clock.advance(1000)
    await append([begun('m1')])
    await clock.settle()
    await receive({ mode: 'steer' })
    const found = await clock.resolve(waiting, 100)
    expect(found.map(({ id }) => id)).toEqual(['i1'])
    expect(clock.elapsed).toBeLessThan(1500)
  })

  test('ends with its time, or with who waits', async () => {
    const { node, clock } = await open()
    const until = node.inputs.waiting(SESSION, { waitMs: 10_000 })
    expect(await clock.resolve(until)).toEqual([])
    expect(clock.elapsed).toBe(10_000)
    const stop = new AbortController()
    const stopped = node.inputs.waiting(SESSION, { waitMs: 10_000, signal: stop.signal })
    await clock.settle()
    stop.abort()
    expect(await clock.resolve(stopped, 0)).toEqual([])
  })

  test('of a session that is not there is refused', async () => {
    const { node } = await open()
    const none = node.inputs.waiting('none' as typeof SESSION, { waitMs: 1000 })
    expect(await refusal(none)).toBe('session_not_found')
  })
})

test('an agent at another node takes an input of a run that it adopted', async () => {
  const world = new World()
  const { receive, start } = await open(world)
  const node = world.node()
  await start()
  await receive({ mode: 'steer' })
  const { epoch } = await agentAt(node).adopt('p2')
  expect(await inputsAt(node).deliver('i1', 'r1', epoch)).toEqual({ taken: true })
})
