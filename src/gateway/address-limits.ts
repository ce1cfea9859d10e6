import { BlockList, isIP } from 'node:net'
import { networkOf } from '../auth/network.ts'
import { HeldlineError } from '../protocol/errors.ts'

/** How many sockets one address may have; `null`: as many as it likes. */
export interface AddressBounds {
  readonly all: number | null
  /** Of these, how many that have shown no credentials yet. */
  readonly unproven: number | null
}

/** What a socket takes of what its address may have. */
export interface Place {
  /** It goes on without credentials for now. @throws HeldlineError `connection_limit` */
  waitForProof(): void
  /** It has shown them. Idempotent. */
  proven(): void
  /** It is gone. Idempotent. */
  leave(): void
}

interface Count {
  all: number
  unproven: number
}

/**
 * Keeps one address from taking all the sockets of a node. Addresses of this machine and of private networks have no bound: they are proxies that
 * nobody named, behind which everybody is, or the operator's own. [P-6.9]
 */
export class AddressLimits {
  readonly #bounds: AddressBounds
  readonly #counts = new Map<string, Count>()

  constructor(bounds: AddressBounds) {
    this.#bounds = bounds
  }

  /** How many addresses have a socket. */
  get size(): number {
    return this.#counts.size
  }

  /** @throws HeldlineError `connection_limit` */
  enter(address: string): Place {
    const bounded = (this.#bounds.all ?? this.#bounds.unproven) !== null
    if (!bounded || isOwn(address)) return FREE
    const network = networkOf(address)
    const count = this.#counts.get(network) ?? { all: 0, unproven: 0 }
    demandRoom(count.all, this.#bounds.all)
    count.all++
    this.#counts.set(network, count)
    let waits = false
    let left = false
    const proven = (): void => {
      if (waits) count.unproven--
      waits = false
    }
    return {
      proven,
      waitForProof: () => {
        demandRoom(count.unproven, this.#bounds.unproven)
        count.unproven++
        waits = true
      },
      leave: () => {
        if (left) return
        left = true
        proven()
        if (--count.all === 0) this.#counts.delete(network)
      },
    }
  }
}

const FREE: Place = {
  waitForProof: () => undefined,
  proven: () => undefined,
  leave: () => undefined,
}

const RETRY_AFTER_MS = 5000

function demandRoom(taken: number, most: number | null): void {
  if (most === null || taken < most) return
  throw new HeldlineError(
    'connection_limit',
    'unable to connect; this address has as many connections as it may have',
    { retryAfterMs: RETRY_AFTER_MS, facts: { maxConnections: most } },
  )
}

const OWN = new BlockList()
for (const [network, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  OWN.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  OWN.addSubnet(network, prefix, 'ipv6')

/** What has no form of an address is a socket that is gone already. */
function isOwn(address: string): boolean {
  const version = isIP(address)
  return version === 0 || OWN.check(address, version === 6 ? 'ipv6' : 'ipv4')
}
