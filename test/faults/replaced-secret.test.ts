import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'

/** Far more than the wrong ones that an address may show in a minute. */
const PEOPLE = 30

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
})
afterAll(() => server?.stop())

const ask = (path: string, method: string, body?: object): Promise<Response> =>
  fetch(`${server.url}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

test('the secret of tokens is replaced: everybody behind one address gets new ones and goes on, and nobody waits for that (P-6.7)', async () => {
  await ask('/sessions/s1', 'PUT', {})
  let minted = 0
  const token = async (): Promise<string> => {
    const wish = { subject: 'ana', sessions: ['s1'], capabilities: ['subscribe'], ttlMs: 3_600_000 }
    const response = await ask('/tokens', 'POST', wish)
    expect(response.status).toBe(201)
    minted++
    return ((await response.json()) as { token: string }).token
  }
  const clients = Array.from({ length: PEOPLE }, () => {
    const client = createClient({ url: server.url, token })
    onTestFinished(() => client.close())
    const session = client.session('s1')
    session.on('event', () => undefined)
    return { client, session }
  })
  const allAre = (head: number): Promise<void> =>
    until(`all are at ${head}`, () =>
      clients.every(
        ({ client, session }) => client.state === 'live' && session.view.position.serial === head,
      ),
    )
  await allAre(1)
  await server.restart({ TOKEN_SECRET: 'another-secret-of-more-than-forty-characters' })
  expect((await ask('/sessions/s1/events', 'POST', { type: 'x.a' })).status).toBe(200)
  await allAre(2)
  expect(minted).toBe(PEOPLE * 2)
  // This time the one before is good for a while.
  await server.restart({
    TOKEN_SECRET: 'a-third-secret-of-more-than-forty-characters-or-so',
    TOKEN_SECRET_ACCEPTED: 'another-secret-of-more-than-forty-characters',
  })
  await ask('/sessions/s1/events', 'POST', { type: 'x.b' })
  await allAre(3)
  expect(minted).toBe(PEOPLE * 2)
})
