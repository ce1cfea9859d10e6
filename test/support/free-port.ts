import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port that was free a moment ago and stays so while its server is down: it lies below the range from which systems give connections their
 * own ports. From within, a client that knocks again and again at a closed port may one day meet itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (await isFree(port)) return port
  }
}

const FIRST = 15_000
const LAST = 30_000

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
