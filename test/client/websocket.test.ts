import { describe, expect, test } from 'vitest'
import { openWebSocket, type WebSocketLike } from '../../src/client/transport/websocket.ts'
import { settle } from './support/fake-clock.ts'

class FakeSocket extends EventTarget implements WebSocketLike {
  static last: FakeSocket
  readonly url: string
  readonly protocols: readonly string[]
  readonly sent: string[] = []
  bufferedAmount = 0
  closedWith: number | null | undefined = null

  constructor(url: string, protocols: string[]) {
    super()
    this.url = url
    this.protocols = protocols
    FakeSocket.last = this
  }

  send(text: string): void {
    this.sent.push(text)
  }

  close(code?: number): void {
    this.closedWith = code
  }

  tell(name: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(name), fields))
  }
}

function open(secrets: { token?: string; ticket?: string } = {}) {
  const told: unknown[] = []
  const transport = openWebSocket(
    FakeSocket,
    'ws://held/v1/connect',
    { token: secrets.token ?? null, ticket: secrets.ticket ?? null },
    { frame: (frame) => told.push(frame), closed: (code) => told.push(code) },
  )
  return { transport, told, socket: FakeSocket.last }
}

describe('the WebSocket', () => {
  test('[P-6.3] the token goes into the first frame, and never into the url', () => {
    const { socket } = open({ token: 'secret' })
    expect(socket.protocols).toEqual(['heldline.v1'])
    expect(socket.url).not.toContain('secret')
    expect(socket.sent).toEqual([])
    socket.tell('open')
    expect(JSON.parse(socket.sent[0] ?? '')).toEqual({ op: 'auth', ref: 'auth', token: 'secret' })
  })

  test('[P-6.3] a ticket goes into the url, and nothing into a frame', () => {
    const { socket } = open({ ticket: 'a b' })
    expect(socket.url).toBe('ws://held/v1/connect?ticket=a%20b')
    socket.tell('open')
    expect(socket.sent).toEqual([])
  })

  test('frames come through; what is none is passed over', () => {
    const { socket, told, transport } = open()
    expect(transport.send({ op: 'ping', ref: 'r' })).toBe(false)
    socket.tell('open')
    expect(transport.send({ op: 'ping', ref: 'r' })).toBe(true)
    for (const data of [
      '{"type":"pong","ref":"r"}',
      'garbage',
      '{"type":"new"}',
      new ArrayBuffer(1),
    ]) {
      socket.tell('message', { data })
    }
    expect(told).toEqual([{ type: 'pong', ref: 'r' }])
  })

  test('its close is told once; after our own, nothing is', () => {
    const first = open()
    first.socket.tell('error')
    first.socket.tell('close', { code: 4401 })
    first.socket.tell('close', { code: 1006 })
    expect(first.told).toEqual([4401])
    const second = open()
    second.transport.close()
    second.socket.tell('open')
    second.socket.tell('message', { data: '{"type":"pong","ref":"r"}' })
    second.socket.tell('close', { code: 1000 })
    expect(second.socket.closedWith).toBe(1000)
    expect(second.told).toEqual([])
  })

  test('a network that takes nothing is not queued for without end', () => {
    const { socket, transport } = open()
    socket.tell('open')
    socket.bufferedAmount = 2_000_000
    expect(transport.send({ op: 'ping', ref: 'r' })).toBe(false)
  })

  test('a page that forbids it is as good as a socket that does not open', async () => {
    const told: number[] = []
    class Forbidden extends FakeSocket {
      constructor() {
        super('', [])
        throw new Error('blocked')
      }
    }
    const secrets = { token: null, ticket: null }
    openWebSocket(Forbidden, 'ws://held', secrets, {
      frame: () => {},
      closed: (code) => told.push(code),
    })
    expect(told).toEqual([])
    await settle()
    expect(told).toEqual([1006])
  })
})
