import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'

/**
 * Resolves when a response has room again, or is over.
 * @param stuck called each time that its reader has taken nothing of it for `slowMs`
 */
export async function drained(
  response: ServerResponse,
  clock: Clock,
  slowMs: number,
  stuck: () => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let waits = response.writableLength
  const look = (): void => {
    if (response.writableLength >= waits) stuck()
    waits = response.writableLength
    timer = clock.after(slowMs, look)
  }
  let timer = clock.after(slowMs, look)
  response.on('drain', resolve).on('close', resolve)
  await promise
  timer.cancel()
  response.off('drain', resolve).off('close', resolve)
}
