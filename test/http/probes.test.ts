import { describe, expect, onTestFinished, test } from 'vitest'
import type { HttpPorts } from '../../src/http/ports.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'
import { startHttp, type HttpServer } from './http-server.ts'

async function start(ports: Partial<HttpPorts> = {}): Promise<HttpServer> {
  const server = await startHttp({ ports })
  onTestFinished(() => server.close())
  return server
}

const probe = (server: HttpServer, path: string) => server.ask('GET', path, { credential: null })

describe('[P-9.7] probes', () => {
  test('live and ready, for anybody, also with HEAD', async () => {
    const server = await start()
    expect((await probe(server, '/livez')).json).toEqual({ status: 'live' })
    expect((await probe(server, '/readyz')).json).toEqual({ status: 'ready' })
    const head = await server.ask('HEAD', '/livez', { credential: null })
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: '' })
  })

  test('without its store a node lives, and is not ready; why is nobody’s business but the operator’s', async () => {
    const detail = 'connect ECONNREFUSED 10.0.0.7:6379'
    const server = await start({ health: () => Promise.resolve({ ok: false, detail }) })
    expect((await probe(server, '/livez')).status).toBe(200)
    const { status, text, json } = await probe(server, '/readyz')
    expect({ status, code: json.code }).toEqual({ status: 503, code: 'store_unavailable' })
    expect(text).not.toContain('10.0.0.7')
    const line = { level: 'warn', event: 'store.not_ready', fields: { detail } }
    expect(server.logged).toContainEqual(line)
  })

  test('a check that fails or never answers is a store that cannot be reached', async () => {
    const failed = await start({ health: () => Promise.reject(new Error('no')) })
    expect((await probe(failed, '/readyz')).status).toBe(503)
    const clock = new FakeClock()
    let asked = 0
    const health = (): Promise<never> => {
      asked++
      return new Promise(() => undefined)
    }
    const silent = await start({ health, clock })
    const answers = Promise.all([probe(silent, '/readyz'), probe(silent, '/readyz')])
    await until('the store is asked', () => asked > 0)
    await clock.advance(3000)
    expect((await answers).map(({ status }) => status)).toEqual([503, 503])
    expect(asked).toBe(1)
  })

  test('the store is asked again where the clock was set back since it was asked', async () => {
    const clock = new FakeClock()
    let ok = false
    const health = () => Promise.resolve({ ok, detail: '' })
    const server = await start({ health, clock })
    expect((await probe(server, '/readyz')).status).toBe(503)
    ok = true
    clock.set(-3_600_000)
    expect((await probe(server, '/readyz')).status).toBe(200)
  })

  test('a node that goes down lives, is not ready, and lets its connections go', async () => {
    const server = await start()
    server.drain()
    expect((await probe(server, '/livez')).status).toBe(200)
    const { status, json, headers } = await probe(server, '/readyz')
    expect({ status, code: json.code }).toEqual({ status: 503, code: 'draining' })
    expect(headers.get('retry-after')).toBe('1')
    expect(headers.get('connection')).toBe('close')
  })
})

test('[P-4.1] a plain request to the place of sockets is told how to open one', async () => {
  const server = await start()
  const { status, headers, json } = await probe(server, '/v1/connect')
  expect({ status, code: json.code }).toEqual({ status: 426, code: 'upgrade_required' })
  expect(headers.get('upgrade')).toBe('websocket')
})
