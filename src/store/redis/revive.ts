import type { Client } from './connect.ts'

const REVIVE_AFTER_MS = 250

/**
 * Keeps a client trying until its owner has closed it. ioredis gives up for good where it is told of a failover in the middle of connecting:
 * its connector is closed under it, and it ends instead of trying again.
 */
export function revive(
  client: Client,
  closed: () => boolean,
  note: (error: Error) => void = () => undefined,
): void {
  client.on('end', () => {
    setTimeout(() => {
      if (!closed() && client.status === 'end') client.connect().catch(note)
    }, REVIVE_AFTER_MS).unref()
  })
}
