import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../src/core/log.ts'
import { loadConfig } from '../../src/load-config.ts'
import { startServer, type HeldlineServer } from '../../src/server.ts'

export const TEST_KEY = 'test:0123456789abcdef0123456789abcdef'

export interface LocalServer extends HeldlineServer {
  readonly key: string
  /** What the server logged as an error: none, in a test that goes well. */
  readonly errors: readonly string[]
}

/** The whole server in this process, on a free port, with a store of its own: SQLite in a folder that goes with it unless told otherwise. */
export async function startLocalServer(
  env: Readonly<Record<string, string>> = {},
): Promise<LocalServer> {
  const folder = await mkdtemp(join(tmpdir(), 'heldline-'))
  const errors: string[] = []
  const { config } = loadConfig({
    PORT: '0',
    DATA_DIR: folder,
    API_KEYS: TEST_KEY,
    TOKEN_SECRET: 'fedcba9876543210fedcba9876543210',
    NODE_ENV: 'test',
    DEMO: 'off',
    DRAIN_MS: '200',
    ...env,
  })
  const server = await startServer(config, collect(errors))
  const leave = (): Promise<void> => rm(folder, { recursive: true, force: true })
  return {
    url: server.url,
    metricsUrl: server.metricsUrl,
    failed: server.failed,
    key: TEST_KEY,
    errors,
    drain: () => server.drain().then(leave),
    close: () => server.close().then(leave),
  }
}

function collect(errors: string[]): Log {
  return {
    info: () => undefined,
    warn: () => undefined,
    error: (event, fields) => errors.push(`${event} ${JSON.stringify(fields)}`),
  }
}
