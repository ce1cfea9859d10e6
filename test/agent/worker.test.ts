import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAgent, type Run } from '../../src/agent/index.ts'
import { until } from '../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/webhook-receiver.ts'
import { openRoom, type Room } from './support/setup.ts'

describe('workers that are told of sessions, against a real server', () => {
  let room: Room
  let receiver: WebhookReceiver
  beforeAll(async () => {
    receiver = await WebhookReceiver.start()
    room = await openRoom({
      WEBHOOK_URL: receiver.url,
      WEBHOOK_SECRET,
      WEBHOOK_ALLOW_PRIVATE: 'true',
      WEBHOOK_EVENTS: 'input.received',
      INPUT_WEBHOOK_AFTER_MS: '100',
    })
  })
  afterAll(async () => {
    await room?.close()
    await receiver.down()
  })

  async function opened(prefix: string, count: number): Promise<readonly string[]> {
    const ids = Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
    for (const id of ids) await room.agent.session(id).open()
    return ids
  }

  test('answer all that waits there, and are done; so many at once, one a session [P-11.3]', async () => {
    const ids = await opened('bounded', 5)
    for (const id of ids) for (const text of ['a', 'b']) await room.say(id, text)
    const working = new Map<string, number>()
    const most = { all: 0, inOne: 0 }
    const releases: (() => void)[] = []
    const worker = room.agent.worker({ agent: 'answerer', concurrency: 2 }, async (run, { id }) => {
      working.set(id, (working.get(id) ?? 0) + 1)
      const counts = [...working.values()]
      most.all = Math.max(
        most.all,
        counts.reduce((sum, count) => sum + count),
      )
      most.inOne = Math.max(most.inOne, ...counts)
      await new Promise<void>((resolve) => releases.push(resolve))
      await run.text(`in ${id}`)
      working.set(id, (working.get(id) ?? 0) - 1)
    })
    let done = false
    const all = Promise.all(ids.map((id) => worker.take(id))).finally(() => (done = true))
    await until('two are worked at', () => releases.length === 2)
    await until('all are answered', () => {
      for (const release of releases.splice(0)) release()
      return done
    })
    await all
    for (const id of ids) expect(await room.answers(id)).toEqual([`in ${id}`, `in ${id}`])
    expect(most).toEqual({ all: 2, inOne: 1 })
  })

  test('that are told again while they work miss nothing, and take what failed no second time', async () => {
    const [id = ''] = await opened('again', 1)
    const errors: unknown[] = []
    const options = { agent: 'answerer', onError: (error: unknown) => errors.push(error) }
    let told: Promise<void> | undefined
    const worker = room.agent.worker(options, async (run: Run) => {
      const { trigger } = await room.ask('GET', `/sessions/${id}/runs/${run.id}`)
      if (trigger === 'bad') throw new Error('this one fails')
      await run.text(String(trigger))
      if (trigger !== 'first') return
      await room.ask('POST', `/sessions/${id}/inputs`, { input: 'bad', mode: 'queue', data: {} })
      await room.ask('POST', `/sessions/${id}/inputs`, { input: 'last', mode: 'queue', data: {} })
      told = worker.take(id)
    })
    await room.ask('POST', `/sessions/${id}/inputs`, { input: 'first', mode: 'queue', data: {} })
    await worker.take(id)
    await told
    expect(await room.answers(id)).toEqual(['first', 'last'])
    expect(errors).toMatchObject([{ message: 'this one fails' }])
    // Nothing waits: nothing is done.
    await worker.take(id)
    expect(await room.answers(id)).toHaveLength(2)
  })

  test('wait while another process works there, and take over what it leaves [R6]', async () => {
    const [id = ''] = await opened('left', 1)
    await room.say(id, 'a hard one')
    const other = room.another()
    const held = other
      .session(id)
      .run({ agent: 'answerer', onThrow: 'leave', leaseMs: 5000, trigger: 'hard' }, async () => {
        await until('somebody waits', () => waits)
        throw new Error('it goes away')
      })
    let waits = false
    await until('it works', async () => {
      const { runs } = await room.ask('GET', `/sessions/${id}/runs?status=live`)
      return (runs as unknown[]).length === 1
    })
    const resumed: boolean[] = []
    const worker = room.agent.worker({ agent: 'answerer' }, (run) => {
      resumed.push(run.resumed)
    })
    const taken = worker.take(id)
    waits = true
    await expect(held).rejects.toThrow('it goes away')
    await taken
    // What waited has a run of its own, beside what was lost.
    expect(new Set(resumed)).toEqual(new Set([false, true]))
    expect(resumed).toHaveLength(2)
  }, 30_000)

  test('keep nothing of a session that they are done with, whatever the number of sessions', async () => {
    const [id = ''] = await opened('forgotten', 1)
    await room.say(id, 'hello')
    const worker = room.agent.worker({ agent: 'answerer' }, (run) => run.text('hello'))
    await worker.take(id)
    const kept = new WeakRef(room.agent.session(id))
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    await until('it is forgotten', () => {
      collect()
      return kept.deref() === undefined
    })
    expect(await room.answers(id)).toEqual(['hello'])
  })

  test('say why a session cannot be asked', async () => {
    const worker = room.agent.worker({ agent: 'answerer' }, () => undefined)
    await expect(worker.take('nowhere')).rejects.toMatchObject({ code: 'session_not_found' })
  })

  test('reject what they are told when their agent is closed', async () => {
    const agent = createAgent({ url: 'http://127.0.0.1:1', apiKey: 'a:b' })
    const worker = agent.worker({ agent: 'answerer' }, () => undefined)
    await agent.close()
    const taken = worker.take('s')
    await expect(taken).rejects.toMatchObject({ code: 'agent_closed' })
  })

  test('need no routing: whichever process the webhook reaches answers [P-17.1] [R8]', async () => {
    const ids = await opened('hooked', 6)
    const by: number[] = []
    const workers = [0, 1].map((n) =>
      room.another().worker({ agent: 'answerer' }, async (run, session) => {
        by.push(n)
        await run.text(`to ${session.id}`)
      }),
    )
    const failed: unknown[] = []
    receiver.replies = (response, nth) => {
      response.writeHead(204).end()
      const { session } = JSON.parse(receiver.heard.at(-1)?.body ?? '') as { session: string }
      workers[nth % 2]?.take(session).catch((error: unknown) => failed.push(error))
    }
    for (const id of ids) await room.say(id, 'hello')
    for (const id of ids) {
      await until(`${id} is answered`, async () => (await room.answers(id)).length === 1)
      expect(await room.answers(id)).toEqual([`to ${id}`])
    }
    await until('nothing lives', async () => {
      const all = await Promise.all(
        ids.map((id) => room.ask('GET', `/sessions/${id}/runs?status=live`)),
      )
      return all.every(({ runs }) => (runs as unknown[]).length === 0)
    })
    expect(failed).toEqual([])
    expect(new Set(by).size).toBe(2)
  }, 30_000)
})
