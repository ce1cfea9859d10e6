import { expect, onTestFinished, test } from 'vitest'
import type { Grant } from '../../src/core/access.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { until } from '../support/until.ts'
import {
  KEY,
  startGateway,
  type GatewayServer,
  type GatewayServerOptions,
} from './gateway-server.ts'
import { GRANT } from './grant.ts'
import { frameOf, RawSocket } from './raw-socket.ts'
import { Witness } from './witness.ts'

const HEADERS = { Authorization: `Bearer ${KEY}` }

async function start(options: GatewayServerOptions = {}) {
  const server = await startGateway(options)
  onTestFinished(() => server.close())
  const witness = await Witness.on(server)
  onTestFinished(() => witness.close())
  return { server, witness }
}

async function open(server: GatewayServer, pongs = true): Promise<RawSocket> {
  const socket = new RawSocket({ port: server.port, headers: HEADERS, pongs })
  onTestFinished(() => socket.reset())
  expect(await socket.untilStatus()).toBe(101)
  await socket.untilFrame(({ type }) => type === 'welcome')
  return socket
}

test('twenty mistakes are answered, and the socket is closed with 4429 [P-8.2]', async () => {
  const { server, witness } = await start()
  const socket = await open(server)
  for (let i = 0; i < 25; i++) socket.send({ op: 'nonsense', ref: `${i}` })
  expect(await socket.untilEnd()).toBe(4429)
  const refs = socket.frames.filter(({ type }) => type === 'error').map(({ ref }) => ref)
  expect(refs).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
  await witness.noticesNothing()
})

test('ten times the rate is refused with a time to wait, and then 4429', async () => {
  const { server, witness } = await start({ limits: { framesPerSecond: 50, framesBurst: 100 } })
  const socket = await open(server)
  for (let i = 0; i < 5000; i++) socket.send({ op: 'ping', ref: `${i}` })
  expect(await socket.untilEnd()).toBe(4429)
  const refused = socket.frames.find(({ type }) => type === 'error')
  expect(refused).toMatchObject({ code: 'rate_limited', retryable: true })
  expect(refused?.['retryAfterMs']).toBeGreaterThan(0)
  expect(socket.frames.filter(({ type }) => type === 'pong').length).toBeGreaterThanOrEqual(100)
  await witness.noticesNothing()
})

test('a socket that answers no ping is closed with 4408 before the third heartbeat', async () => {
  const { server, witness } = await start({ limits: { heartbeatMs: 1000 } })
  const socket = await open(server, false)
  expect(await socket.untilEnd()).toBe(4408)
  expect(socket.pings).toBeLessThanOrEqual(2)
  await witness.noticesNothing()
})

test('a flood of pings by somebody who reads nothing ends with that socket', async () => {
  const { server, witness } = await start()
  const socket = await open(server)
  socket.freeze()
  const ping = frameOf('x'.repeat(120), { opcode: 9 })
  const many = Buffer.concat(Array.from({ length: 5000 }, () => ping))
  await until('the server lets go', () => {
    if (!socket.writable) return true
    socket.write(many)
    return false
  })
  await witness.noticesNothing()
})

test.each(['good', 'bad'])(
  'a reset while credentials are looked at, which are %s, ends nothing but the handshake',
  async (outcome) => {
    let asked = 0
    let decide = (): void => undefined
    const authenticator = {
      authenticate: async (credential: string): Promise<Grant> => {
        if (!credential.endsWith('slow')) return GRANT
        asked++
        await new Promise<void>((resolve) => {
          decide = resolve
        })
        if (outcome === 'good') return GRANT
        throw new HeldlineError('invalid_token', 'unable to authenticate')
      },
      redeem: () => Promise.resolve(GRANT),
    }
    const { server, witness } = await start({ authenticator })
    const headers = { Authorization: 'Bearer agent:slow' }
    for (let i = 1; i <= 5; i++) {
      const socket = new RawSocket({ port: server.port, headers })
      await until('the credentials are looked at', () => asked === i)
      await socket.reset()
      decide()
      await witness.noticesNothing()
    }
    await until('they are gone', () => server.connections() === 1)
  },
)

test('a reset in the middle of a frame, an attach and a publish ends nothing but the socket', async () => {
  const { server, witness } = await start()
  await server.open('mine')
  const frames = [
    '{"op":"attach","ref":"r","session":"mine"',
    '{"op":"attach","ref":"r","session":"mine","presence":{"member":"m"}}',
    '{"op":"publish","ref":"r","session":"mine","events":[{"type":"x.a"}]}',
  ]
  for (const text of frames) {
    const socket = await open(server)
    const bytes = frameOf(text)
    socket.write(text.endsWith('}') ? bytes : bytes.subarray(0, bytes.length - 10))
    await socket.reset()
  }
  await until('they are gone', () => server.connections() === 1)
  await witness.noticesNothing()
})

test('attaching and detaching a thousand times at once leaves no ghost', async () => {
  const { server, witness } = await start({ limits: { framesPerSecond: 1e6, framesBurst: 1e6 } })
  const position = await server.open('mine')
  const socket = await open(server)
  for (let i = 0; i < 1000; i++) {
    const ref = `${i}`
    if (i % 2 === 0) socket.send({ op: 'attach', ref, session: 'mine', position })
    else socket.send({ op: 'detach', ref, session: 'mine' })
    if (i % 100 === 99) await socket.untilFrame((frame) => frame['ref'] === ref)
  }
  const before = socket.frames.length
  await server.append('mine', { mark: 'after' })
  await witness.noticesNothing()
  socket.send({ op: 'ping', ref: 'last' })
  await socket.untilFrame(({ ref }) => ref === 'last')
  expect(socket.frames.slice(before).filter(({ type }) => type === 'events')).toEqual([])
})

test('one connection more than the node takes is 503 with a time, and the others stay', async () => {
  const { server, witness } = await start({ maxConnections: 2 })
  await open(server)
  const third = new RawSocket({ port: server.port, headers: HEADERS })
  onTestFinished(() => third.reset())
  expect(await third.untilStatus()).toBe(503)
  await third.untilEnd()
  expect(JSON.parse(third.body)).toMatchObject({ code: 'connection_limit', retryable: true })
  await witness.noticesNothing()
})

test('a node that drains takes nobody, and says so', async () => {
  const { server } = await start()
  const socket = await open(server)
  const drained = server.drain(3000)
  expect(await socket.untilFrame(({ type }) => type === 'goaway')).toMatchObject({
    reason: 'restart',
  })
  const late = new RawSocket({ port: server.port, headers: HEADERS })
  onTestFinished(() => late.reset())
  expect(await late.untilStatus()).toBe(503)
  await late.untilEnd()
  expect(JSON.parse(late.body)).toMatchObject({ code: 'draining', retryable: true })
  expect(await socket.untilEnd()).toBe(1012)
  await drained
})
