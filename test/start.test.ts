import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../src/load-config.ts'
import { startServer } from '../src/server.ts'
import { TEST_KEY } from './support/local-server.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  // It listens at an address of IP.
  return (server.address() as AddressInfo).port
}

test('a server that cannot listen says so and leaves nothing open: the next one has its metrics and its store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'heldline-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const [taken, free] = [await listen(0), await listen(0)]
  onTestFinished(() => void taken.close())
  const metricsPort = portOf(free)
  free.close()
  await once(free, 'close')
  const start = (port: number) =>
    startServer(
      loadConfig({
        PORT: String(port),
        HOST: '127.0.0.1',
        METRICS_PORT: String(metricsPort),
        DATA_DIR: folder,
        API_KEYS: TEST_KEY,
        NODE_ENV: 'test',
        DEMO: 'off',
      }).config,
      silent,
    )
  await expect(start(portOf(taken))).rejects.toThrow('EADDRINUSE')
  const again = await start(0)
  await again.close()
})
