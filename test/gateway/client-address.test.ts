import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { clientAddress } from '../../src/gateway/client-address.ts'

function requestFrom(peer: string, forwarded?: string): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: peer })
  const request = new IncomingMessage(socket)
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded
  return request
}

test.each([
  ['nobody is believed unless told', [], '203.0.113.9', '10.9.9.9', '203.0.113.9'],
  ['a proxy is believed', ['10.0.0.0/8'], '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  [
    'what a client wrote before it is not',
    ['10.0.0.0/8'],
    '10.0.0.1',
    '1.1.1.1, 203.0.113.9',
    '203.0.113.9',
  ],
  [
    'proxies behind proxies are passed over',
    ['10.0.0.0/8'],
    '10.0.0.1',
    '203.0.113.9, 10.0.0.7',
    '203.0.113.9',
  ],
  ['a proxy that says nothing is the client', ['10.0.0.0/8'], '10.0.0.1', undefined, '10.0.0.1'],
  [
    'IPv4 within IPv6 is the same address',
    ['10.0.0.1'],
    '::ffff:10.0.0.1',
    '203.0.113.9',
    '203.0.113.9',
  ],
  ['IPv6 proxies too', ['fd00::/8'], 'fd00::1', '2001:db8::9', '2001:db8::9'],
])('%s', (_, networks, peer, forwarded, expected) => {
  expect(clientAddress(networks)(requestFrom(peer, forwarded))).toBe(expected)
})
