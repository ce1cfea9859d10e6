import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EffectUnknownError } from '../../src/agent/index.ts'
import { openRoom, type Room } from './support/setup.ts'
import { losing } from './support/losing-fetch.ts'

describe('what must not happen twice, against a real server', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(() => room.close())

  const charge = { tool: 'charge', args: { amount: 5, to: 'ada' } }

  test('happens once, however often it is asked for, and answers the same [R8] [P-13.2]', async () => {
    const session = room.agent.session('paid')
    await session.open()
    let charged = 0
    const act = (): { receipt: number } => ({ receipt: ++charged })
    await session
      .run({ run: 'r1', onThrow: 'leave' }, async (run) => {
        const both = [run.effect(charge, act), run.effect(charge, act)]
        expect(await Promise.all(both)).toEqual([{ receipt: 1 }, { receipt: 1 }])
        throw new Error('killed')
      })
      .catch(() => undefined)
    await room
      .another()
      .session('paid')
      .run({ run: 'r1', adopt: 'rewrite' }, async (run) => {
        expect(await run.effect({ tool: 'charge', args: { to: 'ada', amount: 5 } }, act)).toEqual({
          receipt: 1,
        })
        expect(await run.effect('another', act)).toEqual({ receipt: 2 })
        expect(await run.effect('nothing', () => undefined)).toBeUndefined()
      })
    expect(charged).toBe(2)
  })

  test('is not made again by itself where a process died on it: somebody decides [R8] [P-13.3]', async () => {
    const session = room.agent.session('unknown')
    await session.open()
    let charged = 0
    const dying = session.run({ run: 'r1', onThrow: 'leave' }, (run) =>
      run.effect('pay', () => {
        charged++
        throw new Error('the power went')
      }),
    )
    await expect(dying).rejects.toThrow('the power went')
    const retry = (): Promise<unknown> =>
      room
        .another()
        .session('unknown')
        .run({ run: 'r1', adopt: 'rewrite', onThrow: 'leave' }, (run) =>
          run.effect('pay', () => ({ receipt: ++charged })),
        )
    const refused: unknown = await retry().catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(EffectUnknownError)
    expect(refused).toMatchObject({ code: 'effect_unknown', effect: 'pay' })
    expect(charged).toBe(1)
    await room.ask('POST', '/sessions/unknown/effects/pay/decide', { outcome: 'retry' })
    expect(await retry()).toMatchObject({ status: 'finished', output: { receipt: 2 } })
  })

  test('an answer that is lost is asked for again, and does not make it happen again', async () => {
    await room.agent.session('lossy').open()
    const agent = room.another({ fetch: losing(7, 0.4), random: () => 0.01 })
    const charged: number[] = []
    const result = await agent.session('lossy').run({ run: 'r1' }, async (run) => {
      for (let n = 0; n < 10; n++) {
        await run.effect(`pay-${n}`, () => void charged.push(n))
      }
    })
    expect(result).toMatchObject({ status: 'finished' })
    expect(charged).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
