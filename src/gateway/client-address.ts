import { BlockList, isIPv6 } from 'node:net'
import type { IncomingMessage } from 'node:http'

/**
 * The address that a request comes from: that of its socket, or, where that is a proxy that is believed, the last one of X-Forwarded-For that is
 * not. What stands before it anybody can write.
 * @param networks as `10.0.0.0/8` or single addresses
 */
export function clientAddress(networks: readonly string[]): (request: IncomingMessage) => string {
  const trusted = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  const believed = (address: string): boolean =>
    trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  return (request) => {
    const peer = plain(request.socket.remoteAddress ?? '')
    if (!believed(peer)) return peer
    const header = request.headers['x-forwarded-for'] ?? ''
    const hops = String(header)
      .split(',')
      .map((hop) => plain(hop.trim()))
    return hops.toReversed().find((hop) => hop !== '' && !believed(hop)) ?? peer
  }
}

/** An IPv4 address is the same one where a socket of both families shows it as IPv6. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
