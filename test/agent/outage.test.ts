import { expect, onTestFinished, test, vi } from 'vitest'
import { createAgent, type Agent, type Fetch } from '../../src/agent/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const refused = (): Promise<Response> =>
  Promise.reject(
    new TypeError('fetch failed', {
      cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    }),
  )
const session = (): Response => Response.json({ session: 's', created: false })
const page = (status: number): Response => new Response('<html>welcome</html>', { status })

function setup(): {
  readonly clock: FakeClock
  readonly agent: Agent
  readonly told: readonly string[]
  answer: () => Response | Promise<Response>
} {
  const clock = new FakeClock()
  const told: string[] = []
  const spy = vi.spyOn(console, 'error').mockImplementation((...words: unknown[]) => {
    told.push(words.map(String).join(' '))
  })
  onTestFinished(() => spy.mockRestore())
  const fetch: Fetch = async () => made.answer()
  const url = 'http://user:canary@wrong.example:4400'
  const agent = createAgent({ url, apiKey: 'a:b', fetch, clock, random: () => 0.5 })
  const made = { clock, agent, told, answer: refused as () => Response | Promise<Response> }
  return made
}

const quietly = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error)

test('an agent that nobody answers says so once, after a while, and where it looked', async () => {
  const { agent, clock, told } = setup()
  const opening = Promise.all(['one', 'two'].map((id) => quietly(agent.session(id).open())))
  await clock.advance(3000)
  expect(told).toEqual([])
  await clock.advance(20_000)
  expect(told).toHaveLength(1)
  expect(told[0]).toMatch(/http:\/\/wrong\.example:4400.*ECONNREFUSED.*tried again/)
  expect(told[0]).not.toContain('canary')
  expect(await clock.resolve(opening, 300_000)).toMatchObject([
    { code: 'disconnected' },
    { code: 'disconnected' },
  ])
  expect(told).toHaveLength(1)
})

test('it says so again the next time, and nothing of an outage that is over soon', async () => {
  const made = setup()
  const { agent, clock, told } = made
  const outage = async (ms: number): Promise<void> => {
    made.answer = refused
    const opening = agent.session('s').open()
    await clock.advance(ms)
    made.answer = session
    await clock.resolve(opening, 10_000)
  }
  await outage(20_000)
  await outage(3000)
  expect(told).toHaveLength(1)
  await outage(20_000)
  expect(told).toHaveLength(2)
})

test('what answers and is not Heldline is named as that', async () => {
  const made = setup()
  const { agent, clock, told } = made
  made.answer = () => page(200)
  const opening = quietly(agent.session('s').open())
  await clock.advance(20_000)
  expect(told).toEqual([expect.stringMatching(/is that Heldline\?/)])
  made.answer = () => page(404)
  expect(await clock.resolve(opening, 10_000)).toMatchObject({
    code: 'http_404',
    message: expect.stringMatching(/answered 404.*is that Heldline\?/),
  })
})

test('who serves hears of it where they hear of all that fails', async () => {
  const { agent, clock, told } = setup()
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const stop = new AbortController()
  const serving = agent
    .session('s')
    .serve({ agent: 'a', signal: stop.signal, onError }, () => undefined)
  await clock.advance(20_000)
  expect(errors).toMatchObject([{ code: 'disconnected', retryable: true }])
  expect(String(errors[0])).toMatch(/wrong\.example/)
  expect(told).toEqual([])
  stop.abort()
  await clock.resolve(serving, 10_000)
})
