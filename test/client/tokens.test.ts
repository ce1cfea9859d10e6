import { describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import { FAST } from '../support/fast-clock.ts'
import { Wiretap } from '../support/wiretap.ts'
import { until } from '../support/until.ts'
import { proxiedServer } from './support/proxied-server.ts'

const net = proxiedServer()

const TOKENS = 4
/** A token ends with a second. */
const TTL_MS = 2000

/** Short tokens, each a new one, and how many were asked for. */
function tokensOf() {
  const asked = { count: 0 }
  const capabilities = ['subscribe', 'history']
  const token = async (): Promise<string> => {
    asked.count++
    const wanted = { subject: 'ada', sessions: ['tokens-*'], capabilities, ttlMs: TTL_MS }
    return String((await net().ask('POST', '/tokens', wanted))['token'])
  }
  return { asked, token }
}

describe('an answer that takes as long as several tokens, from a real server', () => {
  // At once, since they only wait.
  test.concurrent.for([
    { transport: 'websocket', what: 'and the socket stays' },
    { transport: 'sse', what: 'each stream as long as its token' },
    { transport: 'long-poll', what: 'with one refusal for each' },
  ] as const)(
    'over $transport: whole, each event once, with one new token each time, $what [P-6.4] [R18]',
    { timeout: 60_000 },
    async ({ transport }, { onTestFinished }) => {
      const id = `tokens-${transport}`
      const path = `/sessions/${id}/events`
      await net().ask('PUT', `/sessions/${id}`, {})
      const { asked, token } = tokensOf()
      const tap = new Wiretap()
      const client = createClient({ url: net().url, transport, token, clock: FAST, ...tap.options })
      onTestFinished(() => client.close())
      const wrong: string[] = []
      client.on('error', ({ code }) => wrong.push(code))
      client.on('state', (state) => state === 'unauthorized' && wrong.push(state))
      const session = client.session(id, { catchup: 'events' })
      const serials: number[] = []
      session.on('event', ({ serial }) => serials.push(serial))
      session.on('reset', ({ reason }) => wrong.push(reason))
      session.attach()
      await until('it watches', () => session.state === 'live')
      const began = performance.now()
      let said = 0
      while (asked.count <= TOKENS) {
        await net().ask('POST', path, { type: 'x.word', data: ++said })
        await until('it is there', () => serials.length === said, {
          instead: () => ({ wrong, serials, asked, state: client.state }),
        })
      }
      const took = performance.now() - began
      expect(serials).toEqual(Array.from({ length: said }, (_, n) => n + 2))
      expect(wrong).toEqual([])
      // Each lasted for its time, or for the half of it after which the next is asked for.
      expect(took).toBeGreaterThan(((TOKENS - 1) * (TTL_MS - 1000)) / 2)
      if (transport === 'websocket') expect(tap.sockets).toBe(1)
    },
  )
})
