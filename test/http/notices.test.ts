import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { claimNotice, failNotice } from '../../src/core/transitions/notice.ts'
import { WEBHOOK_EVENTS } from '../../src/core/webhook.ts'
import { noticeAnswer, noticesAnswer } from '../../src/protocol/http-notices.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import { idOf, startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer

beforeAll(async () => {
  server = await startHttp({
    limits: { inputNoticeAfterMs: 1 },
    webhookEvents: new Set(WEBHOOK_EVENTS),
  })
})
afterAll(() => server?.close())

test('[P-17.4] [P-17.5] what the webhook knows is listed: of inputs that wait and were tried, and of who is there; what has failed is sent again', async () => {
  const path = '/v1/sessions/s-notices'
  await server.ask('PUT', path)
  const list = async () => (await server.ask('GET', `${path}/notices`)).json
  expect(await list()).toEqual({ notices: [] })
  await server.ask('POST', `${path}/inputs`, { body: { input: 'i1', mode: 'queue' } })
  expect(await list()).toEqual({ notices: [] })
  const session = idOf('s-notices')
  const { store } = server
  const [due] = await store.due(1)
  const about = { session, name: 'input:i1' }
  const how = { at: due?.at ?? 0, leaseMs: 60_000, tells: new Set(WEBHOOK_EVENTS) }
  const claimed = await run(store, claimNotice({ ...about, ...how }, new SystemRandom()))
  const id = claimed?.record.id ?? ''
  const failure = { ...about, id, attempts: 1, reason: 'status_410', againInMs: null }
  await run(store, failNotice(failure))
  const body = { kind: 'human', ttlMs: 60_000 }
  const entered = await server.ask('PUT', `${path}/presence/ada`, { body })
  expect(entered.status).toBeLessThan(300)
  const answer = noticesAnswer.parse(await list())
  expect(answer.notices).toEqual([
    {
      notice: id,
      type: 'input.received',
      input: 'i1',
      status: 'failed',
      attempts: 1,
      reason: 'status_410',
    },
    { notice: expect.any(String), type: 'presence.attached', status: 'pending', attempts: 0 },
  ])
  const replay = (notice: string, credential?: string) =>
    server.ask('POST', `${path}/notices/${notice}/replay`, credential ? { credential } : {})
  const reader = await server.token({ capabilities: ['history'] })
  expect((await replay(id, reader)).json.code).toBe('forbidden')
  expect((await replay('nobody')).json.code).toBe('notice_not_found')
  const again = await replay(id)
  expect(again.status).toBe(202)
  expect(noticeAnswer.parse(again.json)).toMatchObject({
    notice: id,
    status: 'pending',
    attempts: 0,
  })
  const refused = await replay(id)
  expect([refused.status, refused.json.code]).toEqual([409, 'notice_closed'])
})

test('[P-17.4] it takes a right, and a session', async () => {
  await server.ask('PUT', '/v1/sessions/s-rights')
  const credential = await server.token({ capabilities: ['subscribe', 'send'] })
  const refused = await server.ask('GET', '/v1/sessions/s-rights/notices', { credential })
  expect([refused.status, refused.json.code]).toEqual([403, 'forbidden'])
  const missing = await server.ask('GET', '/v1/sessions/s-none/notices')
  expect([missing.status, missing.json.code]).toEqual([404, 'session_not_found'])
})
