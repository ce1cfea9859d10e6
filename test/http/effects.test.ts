import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let session = ''
let made = 0

beforeAll(async () => {
  server = await startHttp()
})
beforeEach(async () => {
  session = `/v1/sessions/s-effects-${++made}`
  await server.ask('PUT', session)
  await server.ask('POST', `${session}/runs`, { body: { run: 'r1' } })
})
afterAll(() => server?.close())

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  credential?: string,
) {
  const asked = { body, headers: { 'run-epoch': '1', ...headers } }
  return server.ask('POST', `${session}${path}`, {
    ...asked,
    ...(credential !== undefined && { credential }),
  })
}

const reserve = (body: object = { key: 'pay' }, headers?: Record<string, string>) =>
  post('/effects', { run: 'r1', ...body }, headers)

const status = ({ status: code, json }: Answered) => [code, json.code ?? json.status]

test('[P-13.1] [R9] an effect is reserved, recorded byte for byte, and then only told of', async () => {
  expect((await reserve({ key: 'pay', tool: 'card' })).json).toEqual({
    effect: 'pay',
    status: 'reserved',
    attempt: 1,
  })
  expect(status(await reserve())).toEqual([200, 'in_progress'])
  const raw = '{"run":"r1","result":{"id":1.0, "n":12345678901234567890}}'
  const headers = { 'content-type': 'application/json', 'run-epoch': '1' }
  const recorded = await server.ask('POST', `${session}/effects/pay/done`, { raw, headers })
  expect(recorded.json).toEqual({ effect: 'pay', status: 'done' })
  const again = await reserve()
  expect(again.text).toBe(
    '{"effect":"pay","status":"done","attempt":1,"result":{"id":1.0, "n":12345678901234567890}}',
  )
  expect((await server.ask('GET', `${session}/events?after=2`)).text).toContain(
    '"data":{"effect":"pay","result":{"id":1.0, "n":12345678901234567890}}',
  )
})

test('[P-13.1] [R9] without a key, the same arguments in another order are the same effect', async () => {
  const args = { amount: 1, to: 'ada' }
  const first = await reserve({ tool: 'card', args })
  const again = await reserve({ args: { to: 'ada', amount: 1 }, tool: 'card' })
  expect(again.json).toMatchObject({ effect: first.json.effect, status: 'in_progress' })
})

test('[P-13.2] the very same request is answered again, by its Idempotency-Key', async () => {
  const headers = { 'idempotency-key': 'try-1' }
  expect(status(await reserve({ key: 'pay' }, headers))).toEqual([201, 'reserved'])
  expect(status(await reserve({ key: 'pay' }, headers))).toEqual([200, 'reserved'])
  expect(status(await reserve({ key: 'pay' }, { 'idempotency-key': '-' }))).toEqual([
    400,
    'invalid_idempotency_key',
  ])
})

test('[P-13.3] [S0-22] what a lost process leaves is unknown, listed, and decided by whoever may', async () => {
  await reserve({ key: 'pay', tool: 'card' })
  await post('/runs/r1/adopt', {})
  const newer = { 'run-epoch': '2' }
  expect(status(await reserve())).toEqual([403, 'run_fenced'])
  expect(status(await reserve({ key: 'pay' }, newer))).toEqual([200, 'unknown'])
  expect((await server.ask('GET', `${session}/effects`)).json.effects).toMatchObject([
    { id: 'pay', run: 'r1', tool: 'card', status: 'unknown' },
  ])
  const agent = await server.token({ capabilities: ['publish'], kind: 'agent' })
  const boss = await server.token({ capabilities: ['control'], kind: 'supervisor' })
  const decide = (body: object, credential: string) =>
    post('/effects/pay/decide', body, {}, credential)
  expect(status(await decide({ outcome: 'retry' }, agent))).toEqual([403, 'forbidden'])
  expect(status(await decide({ outcome: 'perhaps' }, boss))).toEqual([400, 'invalid_request'])
  expect(status(await decide({ outcome: 'retry', result: 1 }, boss))).toEqual([
    400,
    'unknown_field',
  ])
  expect(status(await decide({ outcome: 'retry' }, boss))).toEqual([200, 'retry'])
  expect((await server.ask('GET', `${session}/effects/pay`)).json).toEqual({
    effect: 'pay',
    run: 'r1',
    tool: 'card',
    status: 'retry',
    attempt: 1,
  })
  expect((await reserve({ key: 'pay' }, newer)).json).toMatchObject({
    status: 'reserved',
    attempt: 2,
  })
  expect(status(await post('/effects/pay/done', { run: 'r1' }))).toEqual([409, 'effect_conflict'])
  expect(status(await post('/effects/pay/done', { run: 'r1' }, newer))).toEqual([200, 'done'])
  expect(status(await decide({ outcome: 'done' }, boss))).toEqual([200, 'done'])
})

test('[P-13.3] what was never reserved is not found, and a result has its limit', async () => {
  expect(status(await post('/effects/none/done', { run: 'r1' }))).toEqual([404, 'effect_not_found'])
  expect(status(await post('/effects/none/decide', { outcome: 'retry' }))).toEqual([
    404,
    'effect_not_found',
  ])
  expect(status(await server.ask('GET', `${session}/effects/none`))).toEqual([
    404,
    'effect_not_found',
  ])
  await reserve()
  const result = 'x'.repeat(64 * 1024)
  expect(status(await post('/effects/pay/done', { run: 'r1', result }))).toEqual([
    413,
    'payload_too_large',
  ])
  expect(status(await reserve({ key: 'pay' }, { 'run-epoch': '' }))).toEqual([
    400,
    'invalid_request',
  ])
})
