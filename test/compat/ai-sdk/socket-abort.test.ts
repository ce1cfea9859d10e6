import { afterAll, beforeAll, expect, test } from 'vitest'
import { AiSdkChat } from '../../../src/compat/ai-sdk/chat.ts'
import { aiSdkDoor } from '../../../src/compat/ai-sdk/socket.ts'
import { Views } from '../../../src/core/views.ts'
import { DEFAULT_LIMITS } from '../../../src/core/limits.ts'
import { HeldlineError } from '../../../src/protocol/errors.ts'
import { CAPABILITIES } from '../../../src/protocol/capabilities.ts'
import { SystemClock } from '../../../src/system-ports.ts'
import { startHttp, type HttpServer } from '../../http/http-server.ts'
import { until } from '../../support/until.ts'

let server: HttpServer

beforeAll(async () => {
  server = await startHttp()
})
afterAll(() => server?.close())

test('a request that its client has left fails for itself alone: neither its socket nor another request of its id is told [P-18.7] [P-18.8]', async () => {
  await server.ask('PUT', '/v1/sessions/s-left')
  const views = new Views(server.store, DEFAULT_LIMITS)
  const failing = Promise.withResolvers<never>()
  const state = { fails: true, looks: 0 }
  const chat = new AiSdkChat({
    hub: server.hub,
    views: {
      at: (session) => {
        state.looks++
        return state.fails ? failing.promise : views.at(session)
      },
    },
    inputs: server.inputs,
    runs: server.runs,
    questions: server.questions,
    sessions: server.sessions,
    clock: new SystemClock(),
    limits: DEFAULT_LIMITS,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    defaultSettings: {
      ttlMs: null,
      retention: { maxAgeMs: null, maxEvents: null, maxBytes: null },
    },
    onAbort: 'detach',
  })
  const sent: string[] = []
  const closed: number[] = []
  const line = {
    send: (text: string) => void sent.push(text),
    bufferedBytes: 0,
    close: (code: number) => void closed.push(code),
  }
  const grant = {
    subject: 'anna',
    kind: 'any',
    sessions: ['s-left'],
    capabilities: new Set(CAPABILITIES),
    expiresAt: null,
  } as const
  const ports = {
    clock: new SystemClock(),
    limits: DEFAULT_LIMITS,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    onAbort: 'detach',
  } as const
  const visitor = aiSdkDoor(chat, ports).open(line, grant)
  const resume = { type: 'resume', requestId: 'a', id: 's-left', headers: {}, body: {} }
  visitor.receive(JSON.stringify(resume))
  visitor.receive(JSON.stringify({ type: 'abort', requestId: 'a' }))
  state.fails = false
  visitor.receive(JSON.stringify(resume))
  failing.reject(new HeldlineError('store_unavailable', 'as the test has it'))
  await until('the second is answered', () => sent.length > 0 || closed.length > 0)
  expect({ sent, closed }).toEqual({
    sent: [JSON.stringify({ type: 'no-active', requestId: 'a' })],
    closed: [],
  })
  visitor.lost()
})
