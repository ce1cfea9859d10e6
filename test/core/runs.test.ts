import { describe, expect, test } from 'vitest'
import { CANCELLED_TRIGGER } from '../../src/core/transitions/run-start.ts'
import { FIELD } from '../../src/core/record.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { ADA, agentAt, begun, delta, done, open, spoken } from './run-kit.ts'
import { BY, drafted, grant, refusal, SESSION, World } from './world.ts'

const RUN_ENDS = /^run\.(finished|failed|cancelled)$/

describe('starting a run', () => {
  test('tells who runs, in whose name, and for what [P-10.1] [P-10.11]', async () => {
    const { start, last } = await open()
    const metadata = { model: 'small' }
    expect(await start({ agent: 'coder', trigger: 'm1', metadata })).toEqual({
      run: 'r1',
      epoch: 1,
      status: 'thinking',
      created: true,
      leaseMs: 25_000,
    })
    expect(await last('run.started')).toMatchObject({
      by: { subject: 'key:test', run: 'r1' },
      data: { run: 'r1', epoch: 1, agent: 'coder', trigger: 'm1', metadata },
    })
  })

  test('makes an id where none is given', async () => {
    const { runs, story } = await open()
    const one = await runs.start({ session: SESSION, by: BY })
    const two = await runs.start({ session: SESSION, by: BY })
    expect(one.run).not.toBe(two.run)
    expect(await story()).toEqual(['run.started', 'run.started'])
  })

  test('once a trigger: others find the run without its epoch, the same producer gets it again [P-10.1] [R8]', async () => {
    const { start, story } = await open()
    await start({ run: 'r1', trigger: 'm1', producer: 'p1', leaseMs: 9000 })
    const found = { run: 'r1', status: 'thinking', created: false, leaseMs: 9000 }
    expect(await start({ run: 'r2', trigger: 'm1', producer: 'p1' })).toEqual({
      ...found,
      epoch: 1,
    })
    expect(await start({ run: 'r2', trigger: 'm1', producer: 'p2' })).toEqual({
      ...found,
      epoch: null,
    })
    expect(await start({ run: 'r1', trigger: 'm1' })).toEqual({ ...found, epoch: null })
    expect(await story()).toEqual(['run.started'])
  })

  test('again after an adoption gives the epoch to the new producer alone [P-10.1] [P-10.2]', async () => {
    const { start, adopt } = await open()
    await start({ trigger: 'm1', producer: 'p1' })
    await adopt('p2')
    expect(await start({ trigger: 'm1', producer: 'p1' })).toMatchObject({ epoch: null })
    expect(await start({ trigger: 'm1', producer: 'p2' })).toMatchObject({ epoch: 2 })
  })

  test('by the id of a run that has another trigger is refused [P-10.1]', async () => {
    const { start } = await open()
    await start({ run: 'r1', trigger: 'm1' })
    expect(await refusal(start({ run: 'r1', trigger: 'm2' }))).toBe('run_exists')
    expect(await refusal(start({ run: 'r1' }))).toBe('run_exists')
  })

  test('for a trigger that was cancelled before is refused, and a run may be called cancelled [P-10.1]', async () => {
    const { world, start } = await open()
    const writes = [{ field: FIELD.trigger('m1'), value: CANCELLED_TRIGGER }]
    await world.store.commit({ session: SESSION, writes })
    expect(await refusal(start({ trigger: 'm1' }))).toBe('run_over')
    await start({ run: 'cancelled', trigger: 'm2' })
    expect(await start({ run: 'r9', trigger: 'm2' })).toMatchObject({ run: 'cancelled' })
  })

  test('is refused while as many live as may, and goes on when one of them is over [P-10.1]', async () => {
    const { start, finish } = await open(new World({ maxLiveRuns: 3 }))
    for (const run of ['r1', 'r2', 'r3']) await start({ run })
    expect(await refusal(start({ run: 'r4' }))).toBe('session_limit')
    expect(await start({ run: 'r2' })).toMatchObject({ created: false })
    await finish(undefined, 1, 'r2')
    expect(await start({ run: 'r4' })).toMatchObject({ created: true })
  })

  test('in a closed session is refused, but a start that was answered is answered again', async () => {
    const { node, start } = await open()
    await start({ trigger: 'm1', producer: 'p1' })
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await start({ trigger: 'm1', producer: 'p1' })).toMatchObject({ epoch: 1 })
    expect(await refusal(start({ run: 'r2', trigger: 'm2' }))).toBe('session_closed')
  })

  test('twenty times at once for one trigger starts one run [R8] [S0-10]', async () => {
    const { start, story } = await open()
    const starts = Array.from({ length: 20 }, (_, i) => start({ run: `r${i}`, trigger: 'm1' }))
    const answers = await Promise.all(starts)
    expect(answers.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(answers.map(({ run }) => run)).size).toBe(1)
    expect(await story()).toEqual(['run.started'])
  })
})

describe('writing in the name of a run', () => {
  test('puts the run into every event [P-10.3]', async () => {
    const { world, start, append } = await open()
    await start()
    await append([begun('a'), delta('a'), drafted('x.tool', { name: 'grep' })])
    const own = (await world.log()).slice(2)
    expect(own.map(({ by }) => by)).toEqual(own.map(() => ({ subject: 'key:test', run: 'r1' })))
    expect((await world.nodes[0]?.views.at(SESSION))?.messages.get('a')).toMatchObject({
      run: 'r1',
    })
  })

  test('without a run, or of a session without one, is refused', async () => {
    const { append } = await open()
    expect(await refusal(append([begun('a')]))).toBe('run_not_found')
    expect(await refusal(append([begun('a')], 1, 'r2'))).toBe('run_not_found')
  })

  test('by an epoch that is ahead of the run is refused', async () => {
    const { start, append } = await open()
    await start()
    expect(await refusal(append([begun('a')], 2))).toBe('invalid_request')
  })

  test('on a run that is over is refused as such, whatever became of the message [P-10.3]', async () => {
    const { start, append, cancel, finish, story } = await open()
    await start()
    await append([begun('a'), delta('a')])
    await cancel()
    const before = await story()
    for (const drafts of [[delta('a')], [done('a')], [begun('b')], [drafted('x.a')]]) {
      expect(await refusal(append(drafts))).toBe('run_over')
    }
    expect(await refusal(finish())).toBe('run_over')
    expect(await story()).toEqual(before)
  })

  test('a retry of what is in the log is answered even after a cancel; what is new in it is not [P-10.3] [P-2.5]', async () => {
    const { start, append, cancel, world } = await open()
    await start()
    const first = await append([begun('a', 'e1'), delta('a', 'x', 'e2')])
    await cancel()
    const again = await append([begun('a', 'e1'), delta('a', 'x', 'e2')])
    expect(again).toMatchObject({ serials: first.serials, duplicates: 2 })
    expect(await refusal(append([delta('a', 'x', 'e2'), delta('a', 'y', 'e3')]))).toBe('run_over')
    // A node that knows nothing of the run answers the same.
    const other = agentAt(world.node())
    expect(await other.append([delta('a', 'x', 'e2')])).toMatchObject({ duplicates: 1 })
  })

  test('a producer’s retry is answered after the run was taken over; a new seq of it is not [P-2.6] [P-10.2]', async () => {
    const { start, runs, adopt } = await open()
    await start()
    const send = (seq: number) =>
      runs.append({
        session: SESSION,
        by: BY,
        claim: { run: 'r1', epoch: 1 },
        drafts: [drafted('x.a')],
        producer: { id: 'p1' as never, epoch: 1, seq },
      })
    const { serials } = await send(0)
    await adopt()
    expect(await send(0)).toMatchObject({ serials, duplicates: 1 })
    expect(await refusal(send(1))).toBe('run_fenced')
  })

  test('at most 50 messages are open at once [P-10.3]', async () => {
    const { start, append, finish, world } = await open()
    await start()
    const ids = Array.from({ length: 51 }, (_, i) => `m${i}`)
    expect(await refusal(append(ids.map((id) => begun(id))))).toBe('session_limit')
    await append(ids.slice(0, 50).map((id) => begun(id)))
    expect(await refusal(append([begun('more')]))).toBe('session_limit')
    await append([done('m0'), begun('more')])
    await finish()
    const completed = (await world.types()).filter((type) => type === 'message.completed')
    expect(completed).toHaveLength(51)
  })
})

describe('taking a run over', () => {
  test('fences every word of the epoch before, and each is told who holds it now [P-10.2] [S0-11] [R6]', async () => {
    const { start, adopt, story, ...agent } = await open()
    await start()
    await agent.append([begun('a'), delta('a')])
    expect(await adopt()).toEqual({ epoch: 2, status: 'thinking', leaseMs: 25_000 })
    const before = await story()
    const words = [
      () => agent.append([delta('a')]),
      () => agent.append([done('a')]),
      () => agent.append([begun('b')]),
      () => agent.append([drafted('x.a')]),
      () => agent.beat(),
      () => agent.report({ step: 'two' }),
      () => agent.suspend(),
      () => agent.resume(),
      () => agent.finish(),
      () => agent.fail('no'),
    ]
    for (const word of words) {
      const refused = await word().catch((error: unknown) => error)
      if (!(refused instanceof HeldlineError)) throw new Error('it was not refused')
      expect([refused.code, refused.facts]).toEqual(['run_fenced', { epoch: 2 }])
    }
    expect(await story()).toEqual(before)
  })

  test('goes on in the same message [S4-18] [P-10.10]', async () => {
    const { start, adopt, append, finish, node } = await open()
    await start()
    await append([begun('a'), delta('a', 'one ')])
    await adopt()
    await append([delta('a', 'two')], 2)
    await finish({ ok: true }, 2)
    const view = await node.views.at(SESSION)
    expect(view.messages.get('a')).toMatchObject({
      status: 'completed',
      parts: [{ type: 'text', text: 'one two' }],
    })
    expect(view.runs.get('r1')).toMatchObject({
      status: 'finished',
      epoch: 2,
      output: { ok: true },
    })
  })

  test('twice by the same producer is once; by another it is another epoch [P-10.2]', async () => {
    const { start, adopt, story } = await open()
    await start({ producer: 'p1' })
    expect((await adopt('p2')).epoch).toBe(2)
    expect((await adopt('p2')).epoch).toBe(2)
    expect((await adopt('p3')).epoch).toBe(3)
    expect((await adopt()).epoch).toBe(4)
    expect((await adopt()).epoch).toBe(5)
    expect((await story()).filter((word) => word.startsWith('run.resumed'))).toHaveLength(4)
  })

  test('by many at once gives each an epoch of its own, and the last holds it [P-10.2]', async () => {
    const { start, adopt, append } = await open()
    await start()
    const epochs = (await Promise.all([1, 2, 3, 4, 5].map((p) => adopt(`p${p}`)))).map(
      ({ epoch }) => epoch,
    )
    expect(epochs.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6])
    expect(await refusal(append([begun('a')], 5))).toBe('run_fenced')
    expect(await refusal(append([begun('a')], 6))).toBe(null)
  })

  test('of a run that is over, or is none, is refused [P-10.2]', async () => {
    const { start, adopt, finish } = await open()
    expect(await refusal(adopt())).toBe('run_not_found')
    await start()
    await finish()
    expect(await refusal(adopt())).toBe('run_over')
  })

  test('of a lost run is refused while as many live as may [P-10.1]', async () => {
    const { start, adopt, clock, cancel } = await open(new World({ maxLiveRuns: 1 }))
    await start()
    await clock.advance(30_000)
    await start({ run: 'r2' })
    expect(await refusal(adopt())).toBe('session_limit')
    await cancel(undefined, 'r2')
    expect((await adopt()).epoch).toBe(2)
    expect(await refusal(start({ run: 'r3' }))).toBe('session_limit')
  })
})

describe('the end of a run', () => {
  test('completes what it has open in the same commit, and is its last event [P-10.7] [S0-03]', async () => {
    const { start, append, finish, story, last } = await open()
    await start()
    await append([begun('a'), delta('a'), begun('b'), spoken('c')])
    expect(await finish({ answer: 42 })).toBe('finished')
    expect((await story()).slice(-3)).toEqual([
      'message.completed completed',
      'message.completed completed',
      'run.finished',
    ])
    expect((await last('run.finished'))?.data).toEqual({ run: 'r1', output: { answer: 42 } })
  })

  test('as failed says why, to people in the messages too [P-10.7]', async () => {
    const { start, append, fail, story, last } = await open()
    await start()
    await append([begun('a')])
    expect(await fail('out of tokens')).toBe('failed')
    expect((await story()).slice(-2)).toEqual(['message.completed failed', 'run.failed'])
    expect((await last('run.failed'))?.data).toEqual({
      run: 'r1',
      error: { message: 'out of tokens' },
    })
  })

  test('again the same way answers the same, another way is refused [P-10.7]', async () => {
    const { start, finish, fail, story } = await open()
    await start()
    await finish()
    expect(await finish()).toBe('finished')
    expect(await refusal(fail('late'))).toBe('run_over')
    expect(await story()).toEqual(['run.started', 'run.finished'])
  })

  test('by a cancel interrupts what is open, keeps its text, and needs no epoch [P-10.8] [R1]', async () => {
    const { start, append, cancel, story, last, node } = await open()
    await start()
    await append([begun('a'), delta('a', 'half a thou')])
    expect(await cancel('enough')).toEqual({ cancelled: true, status: 'cancelled' })
    expect((await story()).slice(-2)).toEqual([
      'message.completed interrupted',
      'run.cancelled enough',
    ])
    expect(await last('run.cancelled')).toMatchObject({ by: { subject: 'ada', run: 'r1' } })
    expect((await node.views.at(SESSION)).messages.get('a')).toMatchObject({
      status: 'interrupted',
      parts: [{ type: 'text', text: 'half a thou' }],
    })
  })

  test('by a cancel of what is over changes nothing [P-10.8]', async () => {
    const { start, finish, cancel, story } = await open()
    expect(await refusal(cancel())).toBe('run_not_found')
    await start()
    await finish()
    expect(await cancel()).toEqual({ cancelled: false, status: 'finished' })
    expect(await story()).toEqual(['run.started', 'run.finished'])
  })

  test('is one, however many ask at once [P-10.7]', async () => {
    for (let round = 0; round < 20; round++) {
      const { start, append, finish, fail, cancel, world } = await open()
      await start()
      await append([begun('a')])
      const ends = [finish(), cancel(), fail('x'), cancel(), finish()]
      await Promise.allSettled(round % 2 === 0 ? ends : ends.toReversed())
      const types = await world.types()
      expect(types.filter((type) => RUN_ENDS.test(type))).toHaveLength(1)
      expect(types.at(-1)).toMatch(RUN_ENDS)
      expect(types.filter((type) => type === 'message.completed')).toHaveLength(1)
    }
  })

  test('comes in a session that was closed meanwhile, too: nothing stays half said [P-10.7]', async () => {
    const { start, append, finish, cancel, clock, node, story } = await open()
    for (const run of ['r1', 'r2', 'r3']) await start({ run })
    await append([begun('a')])
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await refusal(append([delta('a')]))).toBe('session_closed')
    expect(await finish()).toBe('finished')
    expect(await cancel(undefined, 'r2')).toMatchObject({ cancelled: true })
    await clock.advance(30_000)
    expect((await story()).slice(-5)).toEqual([
      'message.completed completed',
      'run.finished',
      'run.cancelled',
      'run.status stalled',
      'run.lost',
    ])
  })

  test('does not come by the loss of sockets: it runs on, however often everybody is cut off [P-10.8] [R1] [R4]', async () => {
    const { start, append, cancel, node, world, clock, story } = await open()
    const other = world.node()
    await start()
    await append([begun('a')])
    for (let i = 0; i < 5; i++) {
      const socket = node.connect(grant())
      socket.ask({ op: 'attach', session: SESSION, presence: { member: 'tab' } })
      await clock.settle()
      socket.drop()
      await append([delta('a', `${i} `)])
    }
    expect(
      (await story()).filter((word) => /^run\.(finished|failed|cancelled|lost)/.test(word)),
    ).toEqual([])
    await agentAt(other).cancel()
    expect(await cancel()).toMatchObject({ cancelled: false })
    expect((await other.views.at(SESSION)).messages.get('a')).toMatchObject({
      status: 'interrupted',
      parts: [{ text: '0 1 2 3 4 ' }],
    })
  })

  test('makes a delivery for each whom its result is for, after its last event [P-15.1]', async () => {
    const { start, runs, story } = await open()
    await start({ deliverTo: ['ada'] })
    const request = { session: SESSION, by: BY, claim: { run: 'r1', epoch: 1 } }
    await runs.finish(request, { status: 'finished', deliverTo: ['bob', 'ada'] })
    expect((await story()).slice(-3)).toEqual([
      'run.finished',
      'delivery.pending',
      'delivery.pending',
    ])
  })

  test('leaves no lease behind', async () => {
    const { world, start, finish, cancel, clock, story } = await open()
    await start()
    await start({ run: 'r2' })
    await finish()
    await cancel(undefined, 'r2')
    const before = await story()
    await clock.advance(3_600_000)
    expect(await story()).toEqual(before)
    expect(await world.field(FIELD.live)).toBeNull()
  })
})

describe('messages of a run that others touch too', () => {
  test('what somebody else completed or deleted is left as it is when the run ends [P-10.7] [P-3.6]', async () => {
    const { start, append, finish, node, world } = await open()
    await start()
    await append([begun('a'), begun('b'), begun('c')])
    const publish = (drafts: ReturnType<typeof drafted>[]) =>
      node.sessions.append({ session: SESSION, by: ADA, drafts })
    await publish([delta('a'), done('a')])
    await publish([drafted('message.deleted', { message: 'b' })])
    await finish()
    const log = await world.log()
    const completed = log.filter(({ type }) => type === 'message.completed').map(({ data }) => data)
    expect(completed).toEqual([{ message: 'a' }, { message: 'c', status: 'completed' }])
    const { messages } = await node.views.at(SESSION)
    expect([...messages.values()].map(({ status }) => status)).toEqual([
      'completed',
      'deleted',
      'completed',
    ])
  })

  test('what the run itself deleted, or completed with its role, is not open any more [P-10.7]', async () => {
    const { start, append, world } = await open()
    await start()
    await append([begun('a'), begun('b'), begun('c')])
    await append([drafted('message.deleted', { message: 'a' })])
    await append([spoken('b')])
    expect(await world.field(FIELD.runOpen('r1'))).toBe('["c"]')
    await append([done('c')])
    expect(await world.field(FIELD.runOpen('r1'))).toBeNull()
  })

  test('what one run opened and another completed is left alone at the end of both', async () => {
    const { start, append, finish, world } = await open()
    await start()
    await start({ run: 'r2' })
    await append([begun('a')])
    await append([done('a')], 1, 'r2')
    await finish(undefined, 1, 'r2')
    await finish()
    const types = await world.types()
    expect(types.filter((type) => type === 'message.completed')).toHaveLength(1)
  })
})

describe('what people see of runs', () => {
  test('is each with its open messages, those that live or those that are over [P-10.9] [S0-20]', async () => {
    const { runs, start, append, report, finish } = await open()
    await start({ trigger: 'm1', agent: 'coder' })
    await start({ run: 'r2' })
    await append([begun('a'), spoken('b'), begun('c')])
    await report({ step: 'reading', detail: 'src/main.ts', rawCheckpoint: '{"at":3}' })
    await finish({ n: 1 }, 1, 'r2')
    expect(await runs.get(SESSION, 'r1')).toMatchObject({
      id: 'r1',
      status: 'thinking',
      trigger: 'm1',
      agent: 'coder',
      step: 'reading',
      detail: 'src/main.ts',
      checkpoint: { at: 3 },
      messages: ['a', 'c'],
    })
    const listed = async (which: 'live' | 'over' | 'all') =>
      (await runs.list(SESSION, which)).runs.map(({ id, messages }) => [id, messages.length])
    expect(await listed('live')).toEqual([['r1', 2]])
    expect(await listed('over')).toEqual([['r2', 0]])
    expect(await listed('all')).toEqual([
      ['r1', 2],
      ['r2', 0],
    ])
    expect(await refusal(runs.get(SESSION, 'r3'))).toBe('run_not_found')
  })
})
