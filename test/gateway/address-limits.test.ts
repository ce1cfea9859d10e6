import { describe, expect, onTestFinished, test } from 'vitest'
import { AddressLimits } from '../../src/gateway/address-limits.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { until } from '../support/until.ts'
import { KEY, startGateway, type GatewayServer } from './gateway-server.ts'
import { RawSocket } from './raw-socket.ts'

const full = expect.objectContaining({ code: 'connection_limit', retryable: true })

function refusal(action: () => unknown): unknown {
  try {
    action()
    return null
  } catch (error) {
    return error instanceof HeldlineError ? error.code : error
  }
}

describe('[P-6.9] what an address may have', () => {
  test('is counted by address, by the /64 of IPv6, and given back once', () => {
    const limits = new AddressLimits({ all: 2, unproven: 1 })
    const [one] = [limits.enter('203.0.113.1'), limits.enter('::ffff:203.0.113.1')]
    expect(refusal(() => limits.enter('203.0.113.1'))).toBe('connection_limit')
    expect(refusal(() => limits.enter('203.0.113.2'))).toBe(null)
    limits.enter('2001:db8::1')
    limits.enter('2001:db8::ffff')
    expect(refusal(() => limits.enter('2001:db8:0:0:1::'))).toBe('connection_limit')
    expect(refusal(() => limits.enter('2001:db8:0:1::1'))).toBe(null)
    one.leave()
    one.leave()
    expect(refusal(() => limits.enter('203.0.113.1'))).toBe(null)
    expect(refusal(() => limits.enter('203.0.113.1'))).toBe('connection_limit')
  })

  test('without credentials is less; whoever shows them, or goes, makes room', () => {
    const limits = new AddressLimits({ all: null, unproven: 1 })
    const [one, two, three] = [1, 2, 3].map(() => limits.enter('203.0.113.1'))
    one?.waitForProof()
    expect(refusal(() => two?.waitForProof())).toBe('connection_limit')
    one?.proven()
    one?.proven()
    expect(refusal(() => two?.waitForProof())).toBe(null)
    two?.leave()
    expect(refusal(() => three?.waitForProof())).toBe(null)
    for (const place of [one, three]) place?.leave()
    expect(limits.size).toBe(0)
  })

  test.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '100.64.0.9',
    '::1',
    'fd00::1',
    '',
  ])('has no bound where it is %j: everybody may be behind it', (address) => {
    const limits = new AddressLimits({ all: 1, unproven: 1 })
    for (let n = 0; n < 3; n++) limits.enter(address).waitForProof()
    expect(limits.size).toBe(0)
  })
})

describe('[P-6.9] a node', () => {
  async function start(all: number | null, unproven: number | null): Promise<GatewayServer> {
    const server = await startGateway({ perAddress: { all, unproven } })
    onTestFinished(() => server.close())
    return server
  }

  function knock(server: GatewayServer, from: string, authorization?: string): RawSocket {
    const headers = { 'X-Forwarded-For': from, Authorization: authorization }
    const socket = new RawSocket({ port: server.port, headers })
    onTestFinished(() => socket.reset())
    return socket
  }

  const key = `Bearer ${KEY}`

  test('refuses the socket of an address that has as many as it may have, and no other’s; one that ends makes room', async () => {
    const server = await start(2, null)
    const [one, two] = [knock(server, '203.0.113.1', key), knock(server, '203.0.113.1', key)]
    await one.untilStatus()
    await two.untilStatus()
    expect([one.status, two.status]).toEqual([101, 101])
    const third = knock(server, '203.0.113.1', key)
    await until('it is refused', () => third.ended)
    expect(third.status).toBe(503)
    expect(JSON.parse(third.body)).toEqual(full)
    const other = knock(server, '198.51.100.1', key)
    await other.untilStatus()
    expect(other.status).toBe(101)
    await one.reset()
    await until('there is room', () => server.connections() === 2)
    const fourth = knock(server, '203.0.113.1', key)
    await fourth.untilStatus()
    expect(fourth.status).toBe(101)
  })

  test('counts no handshake that was refused', async () => {
    const server = await start(1, null)
    for (let n = 0; n < 3; n++) {
      const refused = knock(server, '203.0.113.1', 'Bearer agent:wrong')
      await until('it is over', () => refused.ended)
      expect(refused.status).toBe(401)
    }
    const good = knock(server, '203.0.113.1', key)
    await good.untilStatus()
    expect(good.status).toBe(101)
  })

  test('holds few sockets of an address that have shown no credentials; those that have are not among them', async () => {
    const server = await start(null, 1)
    const waiting = knock(server, '203.0.113.1')
    await waiting.untilStatus()
    expect(waiting.status).toBe(101)
    const refused = knock(server, '203.0.113.1')
    await until('it is refused', () => refused.ended)
    expect(JSON.parse(refused.body)).toEqual(full)
    const known = knock(server, '203.0.113.1', key)
    await known.untilStatus()
    expect(known.status).toBe(101)
    waiting.send({ op: 'auth', ref: 'a', token: KEY })
    await waiting.untilFrame(({ type }) => type === 'welcome')
    const next = knock(server, '203.0.113.1')
    await next.untilStatus()
    expect(next.status).toBe(101)
  })
})
