import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import { until } from '../support/until.ts'
import { proxiedServer } from './support/proxied-server.ts'

const net = proxiedServer()
let made = 0

type Ask = (method: string, path: string, type?: string, body?: unknown) => Promise<Response>

function askAbout(session: string): Ask {
  return (method, path, type = 'application/json', body) =>
    fetch(`${net().server.url}/v1/sessions/${session}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${net().server.key}`,
        ...(body !== undefined && { 'content-type': type }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
}

const change = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  what: fc.constantFrom('put' as const, 'merge' as const, 'patch' as const, 'delete' as const),
  value: fc.integer({ min: 0, max: 9 }),
})
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function apply(ask: Ask, { key, what, value }: Change): Promise<Response> {
  const path = `/state/${key}`
  switch (what) {
    case 'put':
      return ask('PUT', path, undefined, { list: [value] })
    case 'merge':
      return ask('PATCH', path, 'application/merge-patch+json', { [`m${value}`]: value })
    case 'patch': {
      const operations = [{ op: 'add', path: '/list/-', value }]
      return ask('PATCH', path, 'application/json-patch+json', operations)
    }
    case 'delete':
      return ask('DELETE', path)
  }
}

/** Done, or refused because of what is there. */
const EXPECTED = new Set([200, 204, 404, 422])

test('[R11] [S2-05] [S1-07] five clients that are cut off again and again come to the very state that three writers leave', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 9, maxLength: 30 }), async (changes) => {
      const session = `state-${made++}`
      const ask = askAbout(session)
      await ask('PUT', '', undefined, {})
      const clients = Array.from({ length: 5 }, () =>
        createClient({ url: net().url, token: net().server.key }),
      )
      try {
        const sessions = clients.map((client) => client.session(session))
        for (const one of sessions) one.attach()
        const writer = async (mine: readonly Change[]): Promise<void> => {
          for (const [index, one] of mine.entries()) {
            const { status } = await apply(ask, one)
            expect(EXPECTED).toContain(status)
            if (index % 3 === 1) net().proxy.cut()
          }
        }
        await Promise.all([0, 1, 2].map((n) => writer(changes.filter((_, i) => i % 3 === n))))
        const { head } = (await (await ask('GET', '')).json()) as { head: string }
        await until('all are at the head', () =>
          sessions.every(({ position }) => position === head),
        )
        const { state } = (await (await ask('GET', '/state')).json()) as {
          state: { key: string }[]
        }
        const expected = byKey(state)
        for (const one of sessions) expect(byKey([...one.view.state.values()])).toEqual(expected)
      } finally {
        for (const client of clients) client.close()
      }
    }),
    { numRuns: 6 },
  )
}, 60_000)

test.each(['websocket', 'sse', 'long-poll'] as const)(
  '[P-12.1] a state that is as large as it may be reaches whoever attaches over %s',
  async (transport) => {
    const session = `state-${made++}`
    const ask = askAbout(session)
    await ask('PUT', '', undefined, {})
    // What a view spells longer than whoever set it.
    const value = Array.from({ length: 1280 }, () => 1e20)
    const text = `[${value.map(() => '1e20').join(',')}]`
    let keys = 0
    for (let status = 200; status === 200; keys++) {
      const response = await fetch(`${net().server.url}/v1/sessions/${session}/state/k${keys}`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${net().server.key}`,
          'content-type': 'application/json',
        },
        body: text,
      })
      status = response.status
    }
    const client = createClient({ url: net().server.url, token: net().server.key, transport })
    try {
      const one = client.session(session)
      one.attach()
      await until('it is attached', () => one.view.state.size > 0, { instead: () => one.state })
      expect(one.view.state.size).toBe(keys - 1)
      const size = JSON.stringify([...one.view.state.values()]).length
      expect(size).toBeGreaterThan(400 * 1024)
      expect(size).toBeLessThan(520 * 1024)
      expect(one.view.state.get('k0')?.value).toEqual(value)
    } finally {
      client.close()
    }
  },
)

function byKey<T extends { readonly key: string }>(entries: readonly T[]): readonly T[] {
  return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}
