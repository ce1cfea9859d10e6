import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let session = ''
let boss = ''
let made = 0

beforeAll(async () => {
  server = await startHttp()
  boss = await server.token({
    subject: 'boss',
    kind: 'supervisor',
    capabilities: ['subscribe', 'history', 'control'],
  })
})
beforeEach(async () => {
  session = `/v1/sessions/s-control-${++made}`
  await server.ask('PUT', session)
  await server.ask('POST', `${session}/runs`, { body: { run: 'r1' } })
})
afterAll(() => server?.close())

const post = (path: string, body: unknown, credential?: string): Promise<Answered> =>
  server.ask('POST', session + path, {
    body,
    headers: { 'run-epoch': '1' },
    ...(credential !== undefined && { credential }),
  })

const spoken = (message: string) => ({
  type: 'message.completed',
  data: { message, role: 'assistant', parts: [{ type: 'text', text: 'Hello.' }] },
})

const status = ({ status: code, json }: Answered) => [code, json?.code]

test('[P-14.1] [R20] [S4-20] after takeover the agent’s append is 409 not_controller; release lets it go on', async () => {
  await post('/runs/r1/events', {
    type: 'message.started',
    data: { message: 'm1', role: 'assistant' },
  })
  const taken = await server.ask('POST', `${session}/control/take`, { credential: boss })
  expect(taken.json).toEqual({ controller: { subject: 'boss', kind: 'supervisor' }, taken: true })
  const delta = { type: 'message.delta', data: { message: 'm1', text: 'x' } }
  const refused = await post('/runs/r1/events', delta)
  expect(refused.json).toMatchObject({ status: 409, code: 'not_controller', subject: 'boss' })
  expect(status(await post('/events', spoken('m2')))).toEqual([409, 'not_controller'])
  expect(status(await post('/runs/r1/events', { type: 'x.tool', data: 1 }))[0]).toBe(200)
  expect(status(await post('/events', spoken('b1'), boss))[0]).toBe(200)
  const { messages, rest } = (await server.ask('GET', `${session}/messages`)).json
  expect(messages).toMatchObject([
    { id: 'm1', status: 'interrupted' },
    { id: 'b1', status: 'completed', by: 'boss' },
  ])
  expect(rest.controller).toEqual({ subject: 'boss', kind: 'supervisor' })
  expect((await post('/control/release', {}, boss)).json).toEqual({ released: true })
  expect((await post('/control/release', {}, boss)).json).toEqual({ released: false })
  expect(status(await post('/runs/r1/events', spoken('m3')))[0]).toBe(200)
  expect(status(await post('/events', spoken('b2'), boss))).toEqual([409, 'not_controller'])
})

test('[P-14.1] [S3-06] another takes it only by force, and who manages may release it', async () => {
  const ada = await server.token({ subject: 'ada', kind: 'human', capabilities: ['control'] })
  const root = await server.token({ subject: 'root', capabilities: ['manage'] })
  await post('/control/take', {}, boss)
  const late = await post('/control/take', {}, ada)
  expect(late.json).toMatchObject({ code: 'control_taken', subject: 'boss', kind: 'supervisor' })
  expect(status(await post('/control/release', {}, ada))).toEqual([409, 'not_controller'])
  expect((await post('/control/take', { force: true }, ada)).json).toMatchObject({ taken: true })
  expect((await post('/control/release', {}, root)).json).toEqual({ released: true })
  expect(status(await post('/control/take', { kind: 'agent' }, ada))).toEqual([403, 'forbidden'])
  expect(status(await post('/control/take', { loud: true }, ada))).toEqual([400, 'unknown_field'])
})

test('lines that stream in are refused from the takeover on', async () => {
  await post('/control/take', {}, boss)
  const answer = await server.ask('POST', `${session}/events`, {
    raw: `${JSON.stringify(spoken('m1'))}\n`,
    headers: { 'content-type': 'application/x-ndjson' },
  })
  expect(answer.json).toMatchObject({ status: 409, code: 'not_controller' })
  const own = await server.ask('POST', `${session}/events`, {
    raw: `${JSON.stringify(spoken('b1'))}\n`,
    headers: { 'content-type': 'application/x-ndjson' },
    credential: boss,
  })
  expect(own.text).toContain('"count":1')
})
