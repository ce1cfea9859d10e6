import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { claimTry, failTry } from '../../src/core/transitions/delivery.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import { idOf, startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
let session = ''
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp({ limits: { deliveryAfterMs: 1 } })
})

beforeEach(async () => {
  session = `s-${++made}`
  path = `/v1/sessions/${session}`
  await server.ask('PUT', path)
})

afterAll(() => server?.close())

/** A run by plain requests, from its start to its end. */
async function finish(name: string, body: object, deliverTo = ['anna']): Promise<void> {
  const started = await server.ask('POST', `${path}/runs`, { body: { run: name, deliverTo } })
  const headers = { 'run-epoch': String(started.json.epoch) }
  const ended = await server.ask('POST', `${path}/runs/${name}/finish`, { body, headers })
  expect([started.status, ended.status]).toEqual([201, 200])
}

const list = (query = ''): Promise<Answered> => server.ask('GET', `${path}/deliveries${query}`)
const replay = (id: string): Promise<Answered> =>
  server.ask('POST', `${path}/deliveries/${id}/replay`)
const told = async (): Promise<string[]> =>
  (await server.ask('GET', `${path}/events?after=0`)).json.events
    .map(({ type }: { type: string }) => type)
    .filter((type: string) => type.startsWith('delivery.'))

/** What a webhook that refuses it does to the oldest delivery. */
async function failOldest(): Promise<string> {
  const [{ delivery }] = (await list()).json.deliveries
  const { store } = server
  const due = (await store.due(1000)).find(({ deadline }) => deadline.endsWith(delivery))
  const name = { session: idOf(session), id: delivery }
  await run(store, claimTry({ ...name, at: due?.at ?? 0 }, 60_000))
  const failure = { ...name, attempts: 1, reason: 'status_410', againInMs: null }
  await run(store, failTry(failure, new SystemRandom()))
  return delivery
}

describe('[P-15.4] deliveries over HTTP', () => {
  test('[S0-23] what is finished is pending for whom the start and the finish name', async () => {
    await finish('r1', { output: { answer: 42 }, deliverTo: ['ben', 'anna'] })
    const { status, json } = await list()
    expect(status).toBe(200)
    const events = (await server.ask('GET', `${path}/events?after=0`)).json.events
    const ended = events.find(({ type }: { type: string }) => type === 'run.finished')
    const common = { run: 'r1', status: 'pending', attempts: 0, serial: ended.serial, at: ended.at }
    expect(json.deliveries).toEqual([
      { ...common, delivery: expect.any(String), to: 'anna' },
      { ...common, delivery: expect.any(String), to: 'ben' },
    ])
  })

  test('[P-15.1] a read acknowledges what it reaches, of its own subject alone', async () => {
    await finish('r1', { error: { message: 'no' }, deliverTo: ['ben'] })
    const anna = await server.token({ subject: 'anna', capabilities: ['subscribe'] })
    const [{ serial }] = (await list()).json.deliveries
    const read = (upTo: number): Promise<Answered> =>
      server.ask('POST', `${path}/read`, { body: { serial: upTo }, credential: anna })
    await read(serial - 1)
    expect((await list()).json.deliveries).toHaveLength(2)
    expect((await read(serial)).json).toEqual({ serial })
    expect((await list()).json.deliveries).toMatchObject([{ to: 'ben', status: 'pending' }])
    await read(serial)
    expect(await told()).toEqual(['delivery.pending', 'delivery.pending', 'delivery.acked'])
  })

  test('they are listed by status', async () => {
    await finish('r1', {})
    await finish('r2', {})
    await failOldest()
    const runs = async (query: string): Promise<string[]> =>
      (await list(query)).json.deliveries.map((one: { run: string }) => one.run)
    expect(await runs('')).toEqual(['r1', 'r2'])
    expect(await runs('?status=all')).toEqual(['r1', 'r2'])
    expect(await runs('?status=pending')).toEqual(['r2'])
    expect(await runs('?status=failed')).toEqual(['r1'])
    expect((await list('?status=acked')).json.code).toBe('invalid_request')
    expect((await list('?to=anna')).json.code).toBe('unknown_field')
  })

  test('a failed one is replayed', async () => {
    await finish('r1', {})
    const id = await failOldest()
    expect((await list()).json.deliveries).toMatchObject([
      { status: 'failed', attempts: 1, reason: 'status_410' },
    ])
    const { status, json } = await replay(id)
    expect({ status, json }).toMatchObject({
      status: 202,
      json: { delivery: id, status: 'pending', attempts: 0 },
    })
    expect(await told()).toEqual(['delivery.pending', 'delivery.failed', 'delivery.pending'])
  })

  test('what cannot be replayed says why', async () => {
    await finish('r1', {})
    const id = await failOldest()
    const anna = await server.token({ subject: 'anna' })
    await server.ask('POST', `${path}/read`, { body: { serial: 99 }, credential: anna })
    const problem = async (name: string): Promise<unknown> => {
      const { status, json } = await replay(name)
      return [status, json.code]
    }
    expect(await problem(id)).toEqual([409, 'delivery_closed'])
    expect(await problem('nobody')).toEqual([404, 'delivery_not_found'])
    expect(await problem('a%20b')).toEqual([400, 'invalid_request'])
  })

  test('a session without any has an empty list', async () => {
    expect((await list()).json).toEqual({ deliveries: [] })
  })
})
