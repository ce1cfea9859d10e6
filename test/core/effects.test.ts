import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../src/core/canonical-json.ts'
import type { Limits } from '../../src/core/limits.ts'
import { FIELD } from '../../src/core/record.ts'
import { effectsAt } from './effects-kit.ts'
import { BY, refusal, SESSION, World } from './world.ts'

async function open(limits: Partial<Limits> = {}) {
  const world = new World()
  const node = world.node()
  await world.session()
  return { world, node, ...effectsAt(world.store, SESSION, limits) }
}

describe('[P-13.1] reserving', () => {
  test('[R9] is told once: to do it, then that it is in progress, then the result', async () => {
    const { start, reserve, record, told } = await open()
    await start()
    expect(await reserve({ tool: 'card' })).toEqual({
      effect: 'pay',
      status: 'reserved',
      attempt: 1,
      result: null,
      created: true,
    })
    expect(await reserve()).toMatchObject({ status: 'in_progress', attempt: 1, created: false })
    expect(await record('{"charge":1.0}')).toBe(true)
    expect(await reserve()).toMatchObject({ status: 'done', result: '{"charge":1.0}' })
    expect(await told()).toEqual(['effect.reserved', 'effect.done'])
  })

  test('[R9] without a key, the run, the tool and the arguments name it, in whatever order they stand', async () => {
    const { start, reserve, record } = await open()
    await start()
    await start('r2')
    const args = { amount: 10, to: { name: 'Ada', iban: 'x' } }
    const first = await reserve({ key: undefined as never, tool: 'card', args })
    expect(first.effect).toMatch(/^[0-9a-f]{64}$/)
    await record('{"id":"ch_1"}', 1, 'r1', first.effect)
    const again = { to: { iban: 'x', name: 'Ada' }, amount: 10 }
    const retried = await reserve({ key: undefined as never, tool: 'card', args: again })
    expect(retried).toMatchObject({ effect: first.effect, status: 'done', result: '{"id":"ch_1"}' })
    const others = [
      await reserve({ key: undefined as never, tool: 'mail', args }),
      await reserve({ key: undefined as never, tool: 'card', args: { ...args, amount: 11 } }),
      await reserve({ key: undefined as never, tool: 'card', args }, 1, 'r2'),
    ]
    expect(new Set([first.effect, ...others.map(({ effect }) => effect)]).size).toBe(4)
  })

  test('a key of the caller holds over runs: what one has done, another is given', async () => {
    const { start, finish, reserve, record } = await open()
    await start()
    await reserve()
    await record('"ch_1"')
    await finish()
    await start('r2')
    expect(await reserve({}, 1, 'r2')).toMatchObject({ status: 'done', result: '"ch_1"' })
  })

  test('[P-13.2] the very same request, sent again, is answered again', async () => {
    const { start, reserve } = await open()
    await start()
    const request = { idempotencyKey: 'request-1' }
    expect(await reserve(request)).toMatchObject({ status: 'reserved', created: true })
    expect(await reserve(request)).toMatchObject({ status: 'reserved', created: false })
    expect(await reserve({ idempotencyKey: 'request-2' })).toMatchObject({ status: 'in_progress' })
  })

  test('takes an agent that holds its run, in a session that is open', async () => {
    const { node, start, adopt, finish, reserve } = await open()
    expect(await refusal(reserve())).toBe('run_not_found')
    await start()
    await adopt()
    expect(await refusal(reserve())).toBe('run_fenced')
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await refusal(reserve({}, 2))).toBe('session_closed')
    await finish(2)
    expect(await refusal(reserve({}, 2))).toBe('run_over')
  })

  test('a run has a limit of what it has not recorded', async () => {
    const { start, reserve, record } = await open({ maxOpenEffects: 2 })
    await start()
    await reserve({ key: 'a' })
    await reserve({ key: 'b' })
    expect(await refusal(reserve({ key: 'c' }))).toBe('session_limit')
    expect((await reserve({ key: 'a' })).status).toBe('in_progress')
    await record(null, 1, 'r1', 'a')
    expect((await reserve({ key: 'c' })).status).toBe('reserved')
  })

  test('[P-10.4] is a sign of life', async () => {
    const { world, start, reserve } = await open()
    await start()
    await world.store.commit({
      session: SESSION,
      writes: [{ field: FIELD.run('r1'), value: '1 stalled' }],
      deadlines: [{ deadline: 'run:r1', inMs: 1 }],
    })
    await reserve()
    expect(await world.field(FIELD.run('r1'))).toBe('1 thinking')
    await world.clock.advance(1000)
    expect(await world.store.due(10)).toEqual([])
  })
})

describe('[P-13.2] [P-13.3] what nobody can tell', () => {
  test.each(['adopted', 'finished', 'cancelled'] as const)(
    '[S0-22] what a run has reserved and not recorded is unknown once it is %s, and told once',
    async (how) => {
      const { start, adopt, finish, cancel, reserve, get, told, view } = await open()
      await start()
      await start('r2')
      await reserve()
      if (how === 'adopted') await adopt()
      else if (how === 'finished') await finish()
      else await cancel()
      const asked = how === 'adopted' ? await reserve({}, 2) : await reserve({}, 1, 'r2')
      expect(asked).toMatchObject({ status: 'unknown', attempt: 1, result: null })
      expect((await get()).status).toBe('unknown')
      expect((await view()).effects.get('pay')).toMatchObject({ status: 'unknown', run: 'r1' })
      expect(await told()).toEqual(['effect.reserved', 'effect.unknown'])
    },
  )

  test('also when its lease is over', async () => {
    const { world, node, runs, start, reserve, get, told } = await open()
    await start()
    await reserve()
    for (let i = 0; i < 2; i++) {
      await world.clock.advance(30_000)
      for (const due of await world.store.due(10)) await runs.leaseDue(due)
    }
    expect(await world.field(FIELD.run('r1'))).toBe('1 lost')
    expect((await get()).status).toBe('unknown')
    expect(await told()).toEqual(['effect.reserved', 'effect.unknown'])
    expect((await node.views.at(SESSION)).rest().effects).toMatchObject([{ status: 'unknown' }])
  })

  test('a late process says what it did, though it is fenced, and then everybody knows', async () => {
    const { start, adopt, reserve, record, view } = await open()
    await start()
    await reserve()
    await adopt()
    expect(await record('"ch_1"')).toBe(true)
    expect(await reserve({}, 2)).toMatchObject({ status: 'done', result: '"ch_1"' })
    expect((await view()).effects.size).toBe(0)
  })

  test('a person decides that it happened', async () => {
    const { start, adopt, reserve, decide } = await open()
    await start()
    await reserve()
    expect(await refusal(decide({ outcome: 'done', result: null }))).toBe('effect_conflict')
    await adopt()
    expect(await decide({ outcome: 'done', result: '{"seen":true}' })).toBe(true)
    expect(await decide({ outcome: 'done', result: '{ "seen": true }' })).toBe(false)
    expect(await refusal(decide({ outcome: 'done', result: '2' }))).toBe('effect_conflict')
    expect(await refusal(decide({ outcome: 'retry' }))).toBe('effect_conflict')
    expect(await reserve({}, 2)).toMatchObject({ status: 'done', result: '{"seen":true}' })
  })

  test('a person decides that it did not, and one process tries it again', async () => {
    const { start, adopt, reserve, record, decide, get, told, view } = await open()
    await start()
    await reserve()
    await adopt()
    expect(await decide({ outcome: 'retry' })).toBe(true)
    expect(await decide({ outcome: 'retry' })).toBe(false)
    expect((await get()).status).toBe('retry')
    expect((await view()).effects.size).toBe(0)
    expect(await reserve({}, 2)).toMatchObject({ status: 'reserved', attempt: 2 })
    expect(await reserve({}, 2)).toMatchObject({ status: 'in_progress', attempt: 2 })
    // The process of the first attempt comes too late: another one is at it.
    await expect(record('"ch_1"')).rejects.toMatchObject({
      code: 'effect_conflict',
      facts: { epoch: 2, attempt: 2 },
    })
    expect(await record('"ch_2"', 2)).toBe(true)
    expect(await told()).toEqual([
      'effect.reserved',
      'effect.unknown',
      'effect.retried',
      'effect.reserved',
      'effect.done',
    ])
  })

  test('what is to be tried again, and turns out to be done, is done', async () => {
    const { start, adopt, reserve, record, decide } = await open()
    await start()
    await reserve()
    await adopt()
    await decide({ outcome: 'retry' })
    expect(await record('"ch_1"')).toBe(true)
    expect(await reserve({}, 2)).toMatchObject({ status: 'done', result: '"ch_1"' })
  })
})

describe('[P-13.3] recording', () => {
  test('the same result again changes nothing, another is refused, and so is what was never reserved', async () => {
    const { start, reserve, record, told } = await open({ maxEventBytes: 100 })
    await start()
    expect(await refusal(record())).toBe('effect_not_found')
    await reserve()
    expect(await refusal(record(JSON.stringify('x'.repeat(100))))).toBe('payload_too_large')
    expect(await record('{"a":1}')).toBe(true)
    expect(await record('{ "a": 1 }')).toBe(false)
    expect(await refusal(record('{"a":2}'))).toBe('effect_conflict')
    expect(await refusal(record())).toBe('effect_conflict')
    expect(await told()).toEqual(['effect.reserved', 'effect.done'])
  })

  test('whoever did not reserve it does not record it', async () => {
    const { start, reserve, record } = await open()
    await start()
    await start('r2')
    await reserve()
    expect(await refusal(record('1', 1, 'r2'))).toBe('effect_conflict')
    expect(await refusal(record('1', 2))).toBe('effect_conflict')
  })

  test('[R8] of twenty who reserve at once, one is told to do it', async () => {
    const { start, reserve } = await open()
    await start()
    const all = await Promise.all(Array.from({ length: 20 }, () => reserve()))
    const statuses = all.map(({ status }) => status).toSorted()
    expect(statuses).toEqual([...Array<string>(19).fill('in_progress'), 'reserved'])
  })
})

describe('canonical JSON (RFC 8785)', () => {
  test.each([
    ['{"b":1,"a":[{"d":1,"c":null}]}', '{"a":[{"c":null,"d":1}],"b":1}'],
    ['[1.0, 1e3, -0, 0.1, 1e21, 1e-7]', '[1,1000,0,0.1,1e+21,1e-7]'],
    ['"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\/"', '"€$\\u000f\\nA\'B\\"\\\\/"'],
    [
      '{"\\u20ac":1,"\\r":2,"1":3,"\\u0080":4,"\\ud83d\\ude00":5,"\\ufb33":6}',
      '{"\\r":2,"1":3,"\u0080":4,"€":1,"😀":5,"\ufb33":6}',
    ],
  ])('%s', (text, canonical) => {
    expect(canonicalJson(JSON.parse(text))).toBe(canonical)
  })
})
