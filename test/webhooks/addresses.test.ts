import { expect, test } from 'vitest'
import { isPublicAddress } from '../../src/webhooks/addresses.ts'

test.for([
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450:4001:800::200e',
])('%s is of the internet', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test.for([
  ['this network', '0.0.0.0'],
  ['private', '10.0.0.1'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['carrier-grade NAT, and a metadata service', '100.100.100.200'],
  ['loopback', '127.0.0.1'],
  ['loopback', '127.255.255.254'],
  ['link-local metadata', '169.254.169.254'],
  ['a cloud’s own service', '168.63.129.16'],
  ['benchmarks', '198.18.0.1'],
  ['documentation', '203.0.113.7'],
  ['multicast', '224.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['mapped loopback', '::ffff:127.0.0.1'],
  ['mapped loopback in hex', '::ffff:7f00:1'],
  ['mapped public address', '::ffff:8.8.8.8'],
  ['compatible loopback', '::127.0.0.1'],
  ['translated metadata', '64:ff9b::a9fe:a9fe'],
  ['6to4 of a private address', '2002:0a00:0001::'],
  ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ['documentation', '2001:db8::1'],
  ['documentation', '3fff::1'],
  ['unique local, and a metadata service', 'fd00:ec2::254'],
  ['link-local', 'fe80::1'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['a public one with a zone', '2606:4700::1111%1'],
  ['site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
  ['no address', 'localhost'],
  ['an address that C would take', '0x7f.1'],
  ['an address with a leading zero', '0127.0.0.1'],
  ['nothing', ''],
] as const)('not so %s: %s', ([, address]) => {
  expect(isPublicAddress(address)).toBe(false)
})
