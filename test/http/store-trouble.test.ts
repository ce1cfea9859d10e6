import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { HeldlineError, type ErrorCode } from '../../src/protocol/errors.ts'
import { startHttp } from './http-server.ts'

/** A server with a session, whose store commits nothing from when it is told why. */
async function start() {
  let trouble: ErrorCode | null = null
  const around = (store: Store): Store =>
    new Proxy(store, {
      get: (of, name) => {
        if (name === 'commit' && trouble !== null) {
          const error = new HeldlineError(trouble, 'unable to commit; for a reason')
          return () => Promise.reject(error)
        }
        const value: unknown = Reflect.get(of, name)
        return typeof value === 'function' ? (value.bind(of) as unknown) : value
      },
    })
  const server = await startHttp({ around })
  onTestFinished(() => server.close())
  await server.ask('PUT', '/v1/sessions/one', { body: {} })
  const lines = () => server.logged.filter(({ level }) => level !== 'info')
  const fail = (code: ErrorCode): void => void (trouble = code)
  return { server, lines, fail }
}

const note = { type: 'x.note', data: {} }

test.each(['storage_full', 'store_unavailable', 'outcome_unknown', 'durability_timeout'] as const)(
  'an append that the store refuses with %s is a line for the operator, with the reason',
  async (code) => {
    const { server, lines, fail } = await start()
    fail(code)
    const { json } = await server.ask('POST', '/v1/sessions/one/events', { body: [note] })
    expect(json).toMatchObject({ code, retryable: true })
    const error = expect.objectContaining({ code, message: 'unable to commit; for a reason' })
    expect(lines()).toEqual([{ level: 'warn', event: 'store.refused', fields: { error } }])
  },
)

test('so is one in a body that is appended as it arrives', async () => {
  const { server, lines, fail } = await start()
  fail('storage_full')
  await server.ask('POST', '/v1/sessions/one/events', {
    raw: `${JSON.stringify(note)}\n`,
    headers: { 'content-type': 'application/x-ndjson' },
  })
  expect(lines()).toMatchObject([{ level: 'warn', event: 'store.refused' }])
})

test('damage is an error, and what is the caller’s own mistake no line at all', async () => {
  const { server, lines, fail } = await start()
  await server.ask('POST', '/v1/sessions/none/events', { body: [note] })
  expect(lines()).toEqual([])
  fail('event_corrupt')
  await server.ask('POST', '/v1/sessions/one/events', { body: [note] })
  expect(lines()).toMatchObject([{ level: 'error', event: 'store.corrupt' }])
})
