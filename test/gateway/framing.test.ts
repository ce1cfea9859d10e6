import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { KEY, startGateway, type GatewayServer } from './gateway-server.ts'
import { frameOf, RawSocket } from './raw-socket.ts'
import { Witness } from './witness.ts'

const LIMIT = 4096

let server: GatewayServer
let witness: Witness

beforeAll(async () => {
  server = await startGateway({ limits: { maxFrameBytes: LIMIT } })
  await server.open('mine')
  witness = await Witness.on(server)
})

afterEach(async () => {
  await witness.noticesNothing()
})

afterAll(async () => {
  await witness?.close()
  await server?.close()
})

async function open(): Promise<RawSocket> {
  const headers = { Authorization: `Bearer ${KEY}` }
  const socket = new RawSocket({ port: server.port, headers })
  onTestFinished(() => socket.reset())
  expect(await socket.untilStatus()).toBe(101)
  await socket.untilFrame(({ type }) => type === 'welcome')
  return socket
}

const PING = JSON.stringify({ op: 'ping', ref: 'r' })
const half = PING.length >> 1
const BAD_UTF8 = Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])

const rows: readonly { what: string; bytes: readonly Buffer[]; code: number }[] = [
  { what: 'an unmasked frame', bytes: [frameOf(PING, { masked: false })], code: 1002 },
  { what: 'a compressed frame', bytes: [frameOf(PING, { rsv1: true })], code: 1002 },
  { what: 'an opcode of nobody', bytes: [frameOf(PING, { opcode: 3 })], code: 1002 },
  { what: 'a control opcode of nobody', bytes: [frameOf('', { opcode: 11 })], code: 1002 },
  { what: 'a continuation of nothing', bytes: [frameOf(PING, { opcode: 0 })], code: 1002 },
  {
    what: 'a new message inside of another',
    bytes: [frameOf('{', { fin: false }), frameOf(PING)],
    code: 1002,
  },
  { what: 'a ping in pieces', bytes: [frameOf('', { opcode: 9, fin: false })], code: 1002 },
  { what: 'a ping of 126 bytes', bytes: [frameOf('p'.repeat(126), { opcode: 9 })], code: 1002 },
  { what: 'a close of one byte', bytes: [frameOf('x', { opcode: 8 })], code: 1002 },
  { what: 'a close with 1005', bytes: [closing(1005)], code: 1002 },
  { what: 'a close with 999', bytes: [closing(999)], code: 1002 },
  { what: 'text that is not UTF-8', bytes: [frameOf(BAD_UTF8)], code: 1007 },
  {
    what: 'text that is not UTF-8, in pieces',
    bytes: [
      frameOf(BAD_UTF8.subarray(0, 3), { fin: false }),
      frameOf(BAD_UTF8.subarray(3), { opcode: 0 }),
    ],
    code: 1007,
  },
  { what: 'a reason that is not UTF-8', bytes: [closing(1000, BAD_UTF8)], code: 1007 },
  { what: 'a binary frame', bytes: [frameOf(PING, { opcode: 2 })], code: 1003 },
  { what: 'one byte too many', bytes: [frameOf('x'.repeat(LIMIT + 1))], code: 1009 },
  {
    what: 'a frame that says it is 1 TiB',
    bytes: [frameOf('x', { declaredLength: 2n ** 40n })],
    code: 1009,
  },
  {
    what: 'a frame with the highest bit of its length',
    bytes: [frameOf('x', { declaredLength: 2n ** 63n })],
    code: 1009,
  },
  {
    what: 'pieces that are too much together',
    bytes: [
      frameOf('x'.repeat(LIMIT), { fin: false }),
      frameOf('x'.repeat(LIMIT), { opcode: 0, fin: false }),
    ],
    code: 1009,
  },
  {
    what: 'a thousand empty pieces',
    bytes: [
      frameOf('', { fin: false }),
      ...Array.from({ length: 1000 }, () => frameOf('', { opcode: 0, fin: false })),
    ],
    code: 1008,
  },
]

describe('a stream that is not WebSocket is ended, and says why', () => {
  test.each(rows)('$what is $code', async ({ bytes, code }) => {
    const socket = await open()
    for (const some of bytes) socket.write(some)
    expect(await socket.untilEnd()).toBe(code)
  })
})

describe('what is unusual and not wrong is taken', () => {
  test('a frame of exactly the limit', async () => {
    const socket = await open()
    const frame = JSON.stringify({ op: 'ping', ref: 'r', more: '' })
    socket.send(frame.replace('""', `"${'x'.repeat(LIMIT - frame.length)}"`))
    await socket.untilFrame((down) => down['code'] === 'unknown_field')
  })

  test('a frame in pieces, with a ping between them', async () => {
    const socket = await open()
    socket.write(frameOf(PING.slice(0, half), { fin: false }))
    socket.write(frameOf('now', { opcode: 9 }))
    socket.write(frameOf(PING.slice(half), { opcode: 0 }))
    await socket.untilFrame(({ type }) => type === 'pong')
  })

  test('a frame that comes byte by byte', async () => {
    const socket = await open()
    for (const byte of frameOf(PING)) socket.write(Buffer.of(byte))
    await socket.untilFrame(({ type }) => type === 'pong')
  })

  test('a pong that nobody asked for', async () => {
    const socket = await open()
    socket.write(frameOf('unasked', { opcode: 10 }))
    socket.send(PING)
    await socket.untilFrame(({ type }) => type === 'pong')
  })

  test('what comes after a close is not looked at', async () => {
    const socket = await open()
    socket.write(Buffer.concat([closing(1000), frameOf(attachMine), frameOf('not even JSON')]))
    expect(await socket.untilEnd()).toBe(1000)
    expect(socket.frames.filter(({ type }) => type === 'attached' || type === 'error')).toEqual([])
  })

  test('a heartbeat of the protocol in the middle of many frames of the library', async () => {
    const socket = await open()
    for (let i = 0; i < 20; i++) {
      socket.write(frameOf(`${i}`, { opcode: 9 }))
      socket.send({ op: 'ping', ref: `p${i}` })
    }
    await socket.untilFrame(({ ref }) => ref === 'p19')
    expect(socket.frames.filter(({ type }) => type === 'pong')).toHaveLength(20)
  })
})

const attachMine = JSON.stringify({ op: 'attach', ref: 'late', session: 'mine' })

function closing(code: number, reason: string | Buffer = ''): Buffer {
  const number = Buffer.alloc(2)
  number.writeUInt16BE(code)
  return frameOf(Buffer.concat([number, Buffer.from(reason)]), { opcode: 8 })
}
