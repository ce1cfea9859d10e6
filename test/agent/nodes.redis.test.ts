import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAgent, type Agent } from '../../src/agent/index.ts'
import { useTwoNodes } from '../support/two-nodes.ts'
import { pause } from '../support/until.ts'
import { textOf } from './support/setup.ts'

describe('an agent on one node, and people on another', () => {
  const nodes = useTwoNodes()
  let agent: Agent

  beforeAll(async () => {
    agent = createAgent({ url: nodes.here.url, apiKey: nodes.here.key })
  })
  afterAll(async () => {
    await agent?.close()
  })

  const askThere = async (method: string, path: string): Promise<Record<string, unknown>> => {
    const response = await fetch(`${nodes.there.url}/v1/sessions/${path}`, {
      method,
      headers: { authorization: `Bearer ${nodes.there.key}` },
    })
    return (await response.json()) as Record<string, unknown>
  }

  test('a cancel there fires the signal here well before a heartbeat would, with the partial text kept [R1]', async () => {
    const delays: number[] = []
    for (let n = 0; n < 12; n++) {
      const session = agent.session(`cancel-${n}`)
      await session.open()
      const begun = Promise.withResolvers<void>()
      const fired = Promise.withResolvers<number>()
      const working = session.run({ run: 'r1' }, async (run) => {
        run.signal.addEventListener('abort', () => fired.resolve(performance.now()))
        await run.text('So far')
        await run.flush()
        begun.resolve()
        // It says nothing more: only the session's events and its heartbeats can tell it.
        await fired.promise
      })
      await begun.promise
      const since = performance.now()
      expect(await askThere('POST', `cancel-${n}/runs/r1/cancel`)).toMatchObject({
        cancelled: true,
      })
      delays.push((await fired.promise) - since)
      expect(await working).toEqual({ started: true, run: 'r1', status: 'cancelled' })
      const { messages } = await askThere('GET', `cancel-${n}/messages`)
      expect(messages).toMatchObject([{ status: 'interrupted', parts: [{ text: 'So far' }] }])
      const { events } = await askThere('GET', `cancel-${n}/events?after=0`)
      const types = (events as { type: string }[]).map(({ type }) => type)
      expect(types.filter((type) => /^run\.(finished|failed|cancelled|lost)$/.test(type))).toEqual([
        'run.cancelled',
      ])
      expect(types.at(-1)).toBe('run.cancelled')
    }
    // The next heartbeat is 5 s away.
    const typical = delays.toSorted((a, b) => a - b)[Math.floor(delays.length / 2)] ?? Infinity
    expect(typical).toBeLessThan(1000)
  })

  test('two agents at two nodes write one session, each attributed and whole [R21] [S3-04]', async () => {
    await agent.session('both').open()
    const other = createAgent({ url: nodes.there.url, apiKey: nodes.there.key })
    const words = (name: string): string[] => Array.from({ length: 300 }, (_, n) => `${name}${n} `)
    async function* paced(name: string): AsyncGenerator<string> {
      for (const [n, word] of words(name).entries()) {
        yield word
        if (n % 20 === 0) await pause(10)
      }
    }
    await Promise.all(
      [agent, other].map((one, n) =>
        one.session('both').run({ run: `run-${n}` }, (run) => run.pipe(paced(`a${n}:`))),
      ),
    )
    await other.close()
    const messages = (await askThere('GET', 'both/messages'))['messages'] as Parameters<
      typeof textOf
    >[0][]
    for (const n of [0, 1]) {
      const message = messages.find((one) => one?.run === `run-${n}`)
      expect(textOf(message)).toBe(words(`a${n}:`).join(''))
    }
  })
})
