import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Mount } from '../../src/http/ports.ts'
import { startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer

const asked: { path: string; body: string }[] = []
const mounts: readonly Mount[] = [
  {
    method: 'GET',
    path: '/page/*',
    handle: (request) => {
      asked.push(request)
      return Promise.resolve({
        status: 200,
        headers: { 'content-type': 'text/html', 'cache-control': 'max-age=60' },
        body: '<p>é</p>',
      })
    },
  },
  {
    method: 'POST',
    path: '/page',
    handle: (request) => {
      asked.push(request)
      return Promise.resolve({
        status: 302,
        headers: { location: '/page/1' },
        body: new Uint8Array([0xff]),
      })
    },
  },
  { method: 'GET', path: '/broken', handle: () => Promise.reject(new Error('secret')) },
]

beforeAll(async () => {
  server = await startHttp({ ports: { mounts } })
})

afterAll(() => server?.close())

describe('mounted routes', () => {
  test('are given their path and body, and answer what they like', async () => {
    const page = await server.ask('GET', '/page/a%20b?x=1', { credential: null })
    expect(page).toMatchObject({ status: 200, text: '<p>é</p>' })
    expect(page.headers.get('content-type')).toBe('text/html')
    expect(page.headers.get('cache-control')).toBe('max-age=60')
    const posted = await server.fetch('POST', '/page', { raw: '{"a":"é"}', credential: null })
    expect(posted.status).toBe(200)
    expect(asked.slice(0, 2)).toEqual([
      { path: '/page/a b', body: '' },
      { path: '/page', body: '{"a":"é"}' },
    ])
  })

  test('take bodies of a bounded size', async () => {
    const { status } = await server.ask('POST', '/page', {
      raw: 'a'.repeat(17_000),
      credential: null,
    })
    expect(status).toBe(413)
  })

  test('that fail say nothing of why', async () => {
    const { status, text } = await server.ask('GET', '/broken', { credential: null })
    expect(status).toBe(500)
    expect(text).not.toContain('secret')
  })
})
