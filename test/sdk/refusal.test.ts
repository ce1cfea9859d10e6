import { describe, expect, it } from 'vitest'
import { readRefusal } from '../../src/sdk/refusal.ts'

const page = (status: number): Response =>
  new Response('<html>what a proxy says</html>', {
    status,
    headers: { 'content-type': 'text/html' },
  })

describe('an answer of something between us and the server', () => {
  it.each([408, 429, 500, 502, 503, 504, 511])('that may be another soon: %i', async (status) => {
    const refusal = await readRefusal(page(status))
    expect(refusal).toMatchObject({ code: `http_${status}`, retryable: true, facts: { status } })
  })

  it.each([400, 403, 404, 413])('that will be the same again: %i', async (status) => {
    const refusal = await readRefusal(page(status))
    expect(refusal).toMatchObject({ code: `http_${status}`, retryable: false, facts: { status } })
  })

  it('is waited for as long as it says', async () => {
    const headers = { 'retry-after': '3' }
    const refusal = await readRefusal(new Response('', { status: 503, headers }))
    expect(refusal.retryAfterMs).toBe(3000)
    const dated = { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }
    const other = await readRefusal(new Response('', { status: 503, headers: dated }))
    expect(other.retryAfterMs).toBeUndefined()
  })
})

it('what the server says of itself is believed, whatever its status', async () => {
  const of = (problem: object): Promise<boolean> =>
    readRefusal(Response.json(problem, { status: 408 })).then(({ retryable }) => retryable)
  expect(await of({ code: 'request_timeout', retryable: true })).toBe(true)
  expect(await of({ code: 'other', retryable: false })).toBe(false)
})
