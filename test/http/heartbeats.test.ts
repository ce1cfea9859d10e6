import { expect, onTestFinished, test } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'
import { startHttp } from './http-server.ts'
import { SseClient } from './sse-client.ts'

test('[P-9.5] [S4-02] [S0-04] an event stream begins at once, with a heartbeat, and another one follows every 15 s, whatever else happens', async () => {
  const clock = new FakeClock()
  const server = await startHttp({ ports: { clock } })
  onTestFinished(() => server.close())
  await server.ask('PUT', '/v1/sessions/s')
  const path = '/v1/sessions/s/events'
  // No time has passed for the server when headers, heartbeat and view are here.
  const client = await SseClient.open(server, path)
  onTestFinished(() => client.close())
  await client.until(({ event }) => event === 'snapshot')
  expect(clock.elapsed).toBe(0)
  expect(client.messages[0]?.event).toBe('heartbeat')

  const beats = () => client.messages.filter(({ event }) => event === 'heartbeat').length
  for (let n = 1; n <= 4; n++) {
    await clock.advance(14_999)
    await server.ask('POST', path, { body: { type: 'x.n', data: n } })
    // What was sent before it is here, too.
    await until('the event is here', () => client.events.length === n)
    expect(beats()).toBe(n)
    await clock.advance(1)
    await until('the next heartbeat is here', () => beats() === n + 1)
  }
})
