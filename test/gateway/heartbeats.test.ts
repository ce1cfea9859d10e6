import { IncomingMessage } from 'node:http'
import { Socket as NetSocket } from 'node:net'
import { Duplex } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import { Connections } from '../../src/gateway/connections.ts'
import type { Held } from '../../src/gateway/held.ts'
import { Socket } from '../../src/gateway/socket.ts'
import { grant, World } from '../core/world.ts'
import { FakeClock } from '../support/fake-clock.ts'

const HEARTBEAT_MS = 15_000

/** The stream under a WebSocket, which keeps each write as the kernel would be given it. */
class Wire extends Duplex {
  readonly writes: Buffer[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.writes.push(chunk)
    done()
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    done()
  }
}

/** The server's side of a WebSocket on a wire. */
function upgraded(wire: Wire): Promise<WebSocket> {
  const request = new IncomingMessage(new NetSocket())
  request.method = 'GET'
  request.headers = {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const server = new WebSocketServer({ noServer: true })
  return new Promise((resolve) => {
    server.handleUpgrade(request, wire, Buffer.alloc(0), resolve)
  })
}

test('a heartbeat and the ping that goes with it are one write', async () => {
  const wire = new Wire()
  onTestFinished(() => void wire.destroy())
  const nothing = (): void => undefined
  const place = { waitForProof: nothing, proven: nothing, leave: nothing }
  const client = { id: 'c', address: 'somewhere', grant: grant(), place }
  const socket = new Socket(await upgraded(wire), wire, client, new World().node().ports)
  await new Promise(setImmediate)
  wire.writes.length = 0
  socket.beat()
  await new Promise(setImmediate)
  expect(wire.writes).toHaveLength(1)
  const [beat = Buffer.alloc(0)] = wire.writes
  expect(beat.subarray(0, 2)).toEqual(Buffer.of(0x89, 0))
  expect(beat[2]).toBe(0x81)
  expect(beat.toString()).toContain('"type":"heartbeat"')
})

test('a socket by itself has its turn a whole heartbeat after it came [P-4.10]', async () => {
  const clock = new FakeClock()
  const connections = new Connections(clock, HEARTBEAT_MS)
  onTestFinished(() => connections.close())
  await clock.advance(1000)
  const socket = held()
  connections.add(socket)
  await clock.advance(HEARTBEAT_MS - 1)
  expect(socket.beat).not.toHaveBeenCalled()
  await clock.advance(1)
  expect(socket.beat).toHaveBeenCalledOnce()
})

test('of sockets that come at once, few have their turn at once, and each has one every heartbeat [P-4.10]', async () => {
  const clock = new FakeClock()
  const connections = new Connections(clock, HEARTBEAT_MS)
  onTestFinished(() => connections.close())
  const sockets = Array.from({ length: 600 }, () => held())
  for (const socket of sockets) connections.add(socket)
  const beats = (): number => sockets.reduce((sum, { beat }) => sum + beat.mock.calls.length, 0)
  let most = 0
  for (let at = 0; at < HEARTBEAT_MS; at += 50) {
    const before = beats()
    await clock.advance(50)
    most = Math.max(most, beats() - before)
  }
  expect(most).toBe(600 / 15)
  expect(sockets.every(({ beat }) => beat.mock.calls.length === 1)).toBe(true)
  await clock.advance(HEARTBEAT_MS)
  expect(sockets.every(({ beat }) => beat.mock.calls.length === 2)).toBe(true)
})

test('a place that was left is taken by the next who comes', async () => {
  const clock = new FakeClock()
  const connections = new Connections(clock, HEARTBEAT_MS)
  onTestFinished(() => connections.close())
  const sockets = Array.from({ length: 120 }, () => held())
  for (const socket of sockets) connections.add(socket)
  const [gone, ...others] = sockets
  if (gone === undefined) throw new Error('there are some')
  connections.remove(gone)
  const next = held()
  connections.add(next)
  let most = 0
  for (let at = 0; at < HEARTBEAT_MS; at += 50) {
    const before = [next, ...others].filter(({ beat }) => beat.mock.calls.length > 0).length
    await clock.advance(50)
    most = Math.max(
      most,
      [next, ...others].filter(({ beat }) => beat.mock.calls.length > 0).length - before,
    )
  }
  expect(most).toBe(120 / 15)
  expect(gone.beat).not.toHaveBeenCalled()
})

function held() {
  return {
    endedWith: null,
    beat: vi.fn<() => void>(),
    leave: () => undefined,
    goDown: () => undefined,
    terminate: () => undefined,
    endIfRevoked: () => undefined,
  } satisfies Held
}
