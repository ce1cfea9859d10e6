import { expect, onTestFinished, test } from 'vitest'
import type { Authenticator, Grant } from '../../src/core/access.ts'
import { until } from '../support/until.ts'
import { startGateway, type GatewayServer, type GatewayServerOptions } from './gateway-server.ts'
import { GRANT } from './grant.ts'
import { RawSocket } from './raw-socket.ts'

// All clients of a node that was gone come back at once.

/** Holds every check until it is let go, the oldest first. */
class SlowAuthenticator implements Authenticator {
  readonly held: (() => void)[] = []
  most = 0

  async authenticate(): Promise<Grant> {
    await new Promise<void>((resolve) => {
      this.held.push(resolve)
      this.most = Math.max(this.most, this.held.length)
    })
    return GRANT
  }

  redeem(): Promise<Grant> {
    return this.authenticate()
  }
}

async function start(options: GatewayServerOptions): Promise<GatewayServer> {
  const server = await startGateway(options)
  onTestFinished(() => server.close())
  return server
}

function knock(server: GatewayServer): RawSocket {
  const headers = { Authorization: 'Bearer agent:slow' }
  const socket = new RawSocket({ port: server.port, headers })
  onTestFinished(() => socket.reset())
  return socket
}

test('more handshakes at once than are checked at once wait, and none is refused', async () => {
  const authenticator = new SlowAuthenticator()
  const server = await start({ authenticator, maxHandshakes: 2, maxConnections: 20 })
  const sockets = Array.from({ length: 12 }, () => knock(server))
  for (let i = 0; i < sockets.length; i++) {
    await until('the next is checked', () => authenticator.held.length > 0)
    authenticator.held.shift()?.()
  }
  expect(await Promise.all(sockets.map((socket) => socket.untilStatus()))).toEqual(
    sockets.map(() => 101),
  )
  expect(authenticator.most).toBe(2)
})

test('a node is full with those who wait, too', async () => {
  const authenticator = new SlowAuthenticator()
  const server = await start({ authenticator, maxHandshakes: 1, maxConnections: 3 })
  const sockets = Array.from({ length: 4 }, () => knock(server))
  await until('one is refused', () => sockets.some(({ status }) => status === 503))
  for (let i = 0; i < 3; i++) {
    await until('the next is checked', () => authenticator.held.length > 0)
    authenticator.held.shift()?.()
  }
  const statuses = await Promise.all(sockets.map((socket) => socket.untilStatus()))
  expect(statuses.toSorted((a, b) => a - b)).toEqual([101, 101, 101, 503])
})

/** One handshake is checked, and one waits: a third was refused, since the node is full with the two. */
async function oneWaits() {
  const authenticator = new SlowAuthenticator()
  const server = await start({ authenticator, maxHandshakes: 1, maxConnections: 2 })
  const first = knock(server)
  await until('the first is checked', () => authenticator.held.length === 1)
  const others = [knock(server), knock(server)]
  await until('one is refused', () => others.some(({ status }) => status === 503))
  const second = others.find(({ status }) => status === 0)
  if (second === undefined) throw new Error('both were refused')
  return { authenticator, server, first, second }
}

test('who goes while waiting is not checked, and leaves its place', async () => {
  const { authenticator, server, first, second } = await oneWaits()
  await second.reset()
  authenticator.held.shift()?.()
  expect(await first.untilStatus()).toBe(101)
  await until('there is room again', async () => {
    const third = knock(server)
    await until('it is answered or checked', () => {
      return third.status !== 0 || authenticator.held.length > 0
    })
    return third.status === 0
  })
  expect(authenticator.held.length).toBe(1)
  authenticator.held.shift()?.()
  await until('both are there', () => server.connections() === 2)
})

test('a node that drains refuses those who wait', async () => {
  const { authenticator, server, second } = await oneWaits()
  const drained = server.drain(500)
  authenticator.held.shift()?.()
  expect(await second.untilStatus()).toBe(503)
  await second.untilEnd()
  expect(JSON.parse(second.body)).toMatchObject({ code: 'draining', retryable: true })
  await drained
})
