import { describe, expect, test } from 'vitest'
import type { CommitRequest } from '../../src/core/store.ts'
import { agentAt, begun, delta, done, open, spoken } from './run-kit.ts'
import { drafted, SESSION, World } from './world.ts'

const MINUTE = 60_000
/** How late the sweeper may look: a second, and a fifth of it. */
const SWEEP = 1300

describe('what an agent does, as its events show it [P-10.4] [R5]', () => {
  test('it thinks, streams with the first text, and thinks again with the end of the message', async () => {
    const { start, append, story } = await open()
    await start()
    await append([begun('a')])
    await append([delta('a')])
    await append([delta('a')])
    await append([drafted('x.tool')])
    await append([done('a')])
    await append([drafted('x.tool')])
    await append([begun('b'), delta('b')])
    expect(await story()).toEqual([
      'run.started',
      'message.started',
      'message.delta',
      'run.status streaming',
      'message.delta',
      'x.tool',
      'message.completed',
      'run.status thinking',
      'x.tool',
      'message.started',
      'message.delta',
      'run.status streaming',
    ])
  })

  test('a message that comes whole, in one event or in one request, leaves it thinking', async () => {
    const { start, append, status } = await open()
    await start()
    await append([spoken('a')])
    await append([begun('b'), delta('b'), done('b')])
    expect(await status()).toBe('1 thinking')
    await append([begun('c'), delta('c'), done('c'), begun('d'), delta('d')])
    expect(await status()).toBe('1 streaming')
  })

  test('in the steady state an append is one round trip that reads nothing and moves no deadline', async () => {
    const { world, start, append, clock } = await open()
    await start()
    await append([begun('a'), delta('a')])
    await append([delta('a')])
    const asked: string[] = []
    const { store } = world
    const commit = store.commit.bind(store)
    store.commit = (request: CommitRequest) => {
      asked.push(request.deadlines?.length === 0 ? 'commit' : 'commit and put off')
      return commit(request)
    }
    const fields = store.fields.bind(store)
    store.fields = (...args) => {
      asked.push('fields')
      return fields(...args)
    }
    for (let i = 0; i < 4; i++) await append([delta('a')])
    await append([drafted('x.a')])
    expect(asked).toEqual(['commit', 'commit', 'commit', 'commit', 'commit'])
    await clock.advance(25_000 / 6)
    asked.length = 0
    await append([delta('a')])
    await append([delta('a')])
    expect(asked).toEqual(['commit and put off', 'commit'])
  })
})

test('a start is one round trip, also in a session that has had runs, and whichever node they were started at before', async () => {
  const { world, start, finish } = await open()
  const other = agentAt(world.node())
  const asked: string[] = []
  const { store } = world
  const commit = store.commit.bind(store)
  store.commit = (request: CommitRequest) => {
    if (request.events?.length) asked.push('commit')
    return commit(request)
  }
  const fields = store.fields.bind(store)
  store.fields = (session, names) => {
    // The keeper reads others now and then, beside all this.
    if (names.some((name) => /^(run|recent|trigger|live)/.test(name))) asked.push('fields')
    return fields(session, names)
  }
  const runs = async (from: number, upTo: number, at = { start, finish }): Promise<string[]> => {
    const trips: string[] = []
    for (let n = from; n < upTo; n++) {
      asked.length = 0
      const { epoch } = await at.start({ run: `r${n}`, trigger: `t${n}` })
      trips.push(asked.join(' '))
      await at.finish(undefined, epoch ?? 0, `r${n}`)
    }
    return trips
  }
  expect(await runs(0, 120)).toEqual(Array.from({ length: 120 }, () => 'commit'))
  // What another node did is found out once.
  expect(await runs(120, 123, other)).toEqual(['commit commit', 'commit', 'commit'])
  expect(await runs(123, 126)).toEqual(['commit commit', 'commit', 'commit'])
})

describe('silence [P-10.4] [R5] [S4-14]', () => {
  test('for 0.6 of the lease is stalled, for all of it lost, each told once however many nodes look', async () => {
    const { world, start, story, clock, last } = await open()
    world.node()
    world.node()
    await start()
    await clock.advance(14_900)
    expect(await story()).toEqual(['run.started'])
    await clock.advance(100 + SWEEP)
    expect(await story()).toEqual(['run.started', 'run.status stalled'])
    await clock.advance(10_000 + SWEEP)
    await clock.advance(10 * MINUTE)
    expect(await story()).toEqual(['run.started', 'run.status stalled', 'run.lost'])
    expect(await last('run.lost')).toMatchObject({
      by: { subject: 'server', run: 'r1' },
      data: { run: 'r1', epoch: 1 },
    })
  })

  test('keeps the lease that the run asked for', async () => {
    const { start, status, clock } = await open()
    await start({ leaseMs: 5000 })
    await start({ run: 'r2', leaseMs: 3_600_000 })
    await clock.advance(3000 + SWEEP)
    expect(await status()).toBe('1 stalled')
    await clock.advance(2000 + SWEEP)
    expect([await status(), await status('r2')]).toEqual(['1 lost', '1 thinking'])
  })

  test('that ends with a sign of life was only a stall', async () => {
    const { start, story, clock, beat, append } = await open()
    await start()
    await clock.advance(16_500)
    expect(await beat()).toEqual({ status: 'thinking', leaseMs: 25_000, live: true, inputs: 0 })
    await clock.advance(14_900)
    expect(await story()).toEqual(['run.started', 'run.status stalled', 'run.status thinking'])
    await clock.advance(2000)
    await append([drafted('x.a')])
    await clock.advance(14_900)
    expect((await story()).slice(3)).toEqual(['run.status stalled', 'x.a', 'run.status thinking'])
  })

  test('of the model is none of the agent: who beats for ten minutes thinks for ten minutes', async () => {
    const { start, story, clock, beat } = await open()
    await start()
    for (let passed = 0; passed < 10 * MINUTE; passed += 8000) {
      await clock.advance(8000)
      expect(await beat()).toMatchObject({ status: 'thinking', live: true })
    }
    expect(await story()).toEqual(['run.started'])
  })

  test('of forty minutes, with silences of ninety seconds between its words, is one run that arrives whole (S0-01, S0-05)', async () => {
    const { world, node, start, append, finish, clock, beat, status } = await open()
    await start()
    await append([begun('a')])
    let words = ''
    for (let passed = 0; passed < 40 * MINUTE; passed += 5000) {
      await clock.advance(5000)
      expect(await beat()).toMatchObject({ live: true })
      if (passed % 90_000 !== 0) continue
      const word = `at ${passed} `
      words += word
      await append([drafted('message.delta', { message: 'a', text: word })])
    }
    expect(await status()).toBe('1 streaming')
    await finish('whole')
    const view = await node.views.at(SESSION)
    expect([...view.runs.values()]).toMatchObject([{ status: 'finished', output: 'whole' }])
    expect(view.messages.get('a')).toMatchObject({ status: 'completed', parts: [{ text: words }] })
    const told = (await world.types()).filter((type) => type.startsWith('run.'))
    expect(told).toEqual(['run.started', 'run.status', 'run.finished'])
  })

  test('is none where the agent appends, through whichever node', async () => {
    const { world, start, clock, append, status } = await open()
    const other = agentAt(world.node())
    await start()
    await append([begun('a'), delta('a')])
    for (let i = 0; i < 60; i++) {
      await clock.advance(i % 2 === 0 ? 500 : 10_000)
      await (i % 3 === 0 ? append : other.append)([delta('a')])
    }
    expect(await status()).toBe('1 streaming')
    expect((await world.types()).filter((type) => type === 'run.status')).toHaveLength(1)
  })

  test('of a lost run is answered to its agent, and another process may go on with it [P-10.5] [P-10.10] [S4-18]', async () => {
    const { start, append, clock, beat, adopt, finish, story } = await open()
    await start()
    await append([begun('a'), delta('a')])
    await clock.advance(30_000)
    expect(await beat()).toEqual({ status: 'lost', leaseMs: 25_000, live: false, inputs: 0 })
    expect((await story()).at(-1)).toBe('run.lost')
    await adopt('p2')
    await append([delta('a')], 2)
    await finish(undefined, 2)
    expect((await story()).slice(-6)).toEqual([
      'run.lost',
      'run.resumed adopted',
      'message.delta',
      'run.status streaming',
      'message.completed completed',
      'run.finished',
    ])
  })

  test('that ended in a loss blocks no next run, and a cancel ends what nobody adopts [R6] [P-10.10]', async () => {
    const { start, append, clock, cancel, node, status } = await open()
    await start({ trigger: 'm1' })
    await append([begun('a'), delta('a')])
    await clock.advance(30_000)
    expect(await start({ run: 'r2', trigger: 'm2' })).toMatchObject({ created: true })
    expect((await node.views.at(SESSION)).messages.get('a')?.status).toBe('open')
    expect(await cancel()).toEqual({ cancelled: true, status: 'cancelled' })
    expect((await node.views.at(SESSION)).messages.get('a')?.status).toBe('interrupted')
    expect([await status(), await status('r2')]).toEqual(['1 cancelled', '1 thinking'])
  })
})

describe('what an agent says of itself [P-10.5]', () => {
  test('is told to people, and what is left out stays', async () => {
    const { start, report, node, story } = await open()
    await start()
    await report({ step: 'plan', rawCheckpoint: '{"at":1}' })
    await report({ detail: 'reading' })
    expect((await node.views.at(SESSION)).runs.get('r1')).toMatchObject({
      status: 'thinking',
      step: 'plan',
      detail: 'reading',
      checkpoint: { at: 1 },
    })
    expect(await story()).toEqual(['run.started', 'run.status thinking', 'run.status thinking'])
  })

  test('stalled, it stays so through heartbeats until it says or shows otherwise', async () => {
    const { start, report, beat, append, clock, status, story } = await open()
    await start()
    await report({ status: 'stalled', detail: 'the model does not answer' })
    for (let i = 0; i < 10; i++) {
      await clock.advance(10_000)
      expect(await beat()).toMatchObject({ status: 'stalled' })
    }
    expect(await story()).toEqual(['run.started', 'run.status stalled'])
    await append([drafted('x.a')])
    expect(await status()).toBe('1 stalled said')
    await report({ status: 'thinking' })
    expect(await status()).toBe('1 thinking')
    await report({ status: 'stalled' })
    await append([begun('a'), delta('a')])
    expect(await status()).toBe('1 streaming')
  })

  test('stalled, and then nothing any more, it is lost when the lease is over', async () => {
    const { start, report, clock, story, status } = await open()
    await start()
    await report({ status: 'stalled' })
    await clock.advance(24_900)
    expect(await status()).toBe('1 stalled said')
    await clock.advance(100 + SWEEP)
    expect(await story()).toEqual(['run.started', 'run.status stalled', 'run.lost'])
  })
})

describe('waiting [P-10.6] [P-10.4]', () => {
  test('needs no sign of life, and goes on by a word', async () => {
    const { start, suspend, resume, clock, story, beat, report } = await open()
    await start()
    expect(await suspend()).toBe('waiting')
    expect(await suspend()).toBe('waiting')
    await clock.advance(24 * MINUTE)
    expect(await beat()).toMatchObject({ status: 'waiting', live: true })
    await report({ status: 'thinking', detail: 'still here' })
    await clock.advance(24 * MINUTE)
    expect(await resume()).toBe('thinking')
    expect(await resume()).toBe('thinking')
    expect(await story()).toEqual([
      'run.started',
      'run.suspended',
      'run.status waiting',
      'run.resumed resumed',
    ])
    await clock.advance(15_000 + SWEEP)
    expect((await story()).at(-1)).toBe('run.status stalled')
  })

  test('whoever writes meanwhile waits on', async () => {
    const { start, suspend, append, status, clock } = await open()
    await start()
    await append([begun('a'), delta('a')])
    await suspend()
    await append([delta('a'), done('a')])
    await clock.advance(10 * MINUTE)
    expect(await status()).toBe('1 waiting')
  })

  test('a suspended run goes on in the hands of who adopts it', async () => {
    const { start, suspend, adopt, append, clock, status } = await open()
    await start()
    await suspend()
    await clock.advance(60 * MINUTE)
    expect(await adopt('p2')).toMatchObject({ epoch: 2, status: 'thinking' })
    await append([begun('a')], 2)
    await clock.advance(30_000)
    expect(await status()).toBe('2 lost')
  })

  test('for an answer lasts while the question is open: neither a resume nor an adoption ends it', async () => {
    const { start, ask, resume, adopt, story, status, clock, world } = await open()
    await start()
    await ask('q1')
    expect(await resume()).toBe('waiting')
    expect(await adopt('p2')).toMatchObject({ epoch: 2, status: 'waiting' })
    expect((await story()).slice(-2)).toEqual(['run.resumed adopted', 'run.status waiting'])
    await clock.advance(60 * MINUTE)
    expect(await status()).toBe('2 waiting')
    expect((await world.nodes[0]?.views.at(SESSION))?.runs.get('r1')?.status).toBe('waiting')
  })
})

test('a deadline of a run whose session was removed, or that is over, fires without a word', async () => {
  const { world, node, start, clock, runs } = await open(new World())
  await start()
  await runs.leaseDue({ session: SESSION, deadline: 'run:r1', at: 1 })
  await runs.leaseDue({ session: SESSION, deadline: 'run:none', at: 1 })
  expect(await world.types()).toEqual(['session.created', 'run.started'])
  await node.sessions.remove(SESSION)
  await clock.advance(MINUTE)
  expect(node.log.at('warn')).toEqual([])
})
