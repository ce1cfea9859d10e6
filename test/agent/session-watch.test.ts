import { expect, test } from 'vitest'
import { createAgent, type Fetch } from '../../src/agent/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const CANCELLED = { type: 'run.cancelled', data: { run: 'r1' } }

test('the events of a session are heard again after its credentials could not be got for a while', async () => {
  const clock = new FakeClock()
  let polls = 0
  const fetch: Fetch = (url) => {
    const verb = new URL(url).pathname.split('/').at(-1)
    if (verb === 'runs') {
      const begun = { run: 'r1', epoch: 1, status: 'thinking', created: true, leaseMs: 25_000 }
      return Promise.resolve(Response.json(begun, { status: 201 }))
    }
    if (verb === 's') return Promise.resolve(Response.json({ head: 'e.1.t' }))
    if (verb !== 'events') return Promise.resolve(Response.json({ live: true, inputs: 0 }))
    // The first token is over; with the next one there is news.
    if (++polls > 1) return Promise.resolve(Response.json({ events: [CANCELLED], position: 'p' }))
    const refusal = { code: 'invalid_token', status: 401, retryable: false }
    return Promise.resolve(Response.json(refusal, { status: 401 }))
  }
  let asked = 0
  const token = (): string => {
    if (++asked === 2) throw new Error('whoever gives tokens is away')
    return `t${asked}`
  }
  const agent = createAgent({ url: 'http://x.test', token, fetch, clock, random: () => 0.5 })
  const run = await clock.resolve(agent.session('s').start({ run: 'r1' }))
  await clock.advance(4000)
  expect(run?.signal.reason).toMatchObject({ code: 'run_over', facts: { runStatus: 'cancelled' } })
  expect(clock.timers).toBe(0)
})
