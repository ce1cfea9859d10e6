import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, start, temporaryFolder } from './processes.ts'
import type { RedisServer } from './redis-server.ts'
import type { ServerProcess } from './servers.ts'

const COMPILER = 'go'
const SOURCE = fileURLToPath(new URL('../peers/centrifuge', import.meta.url))

/** The program, built; or why there is none. */
export type Built = { readonly program: string } | { readonly missing: string }

/**
 * Builds the Centrifuge server from the modules that are on this machine; with `fetch`, gets them first. A benchmark that nobody
 * asked to fetch anything does not.
 */
export function buildCentrifuge(fetch: boolean): Built {
  if (spawnSync(COMPILER, ['version']).status !== 0) return { missing: 'Go is not on this machine' }
  const folder = temporaryFolder('centrifuge')
  cpSync(SOURCE, folder, { recursive: true })
  const env = { ...process.env, GOFLAGS: '-mod=mod', ...(!fetch && { GOPROXY: 'off' }) }
  const options = { cwd: folder, env, encoding: 'utf8', timeout: 300_000 } as const
  const program = join(folder, 'centrifuge-peer')
  const built = spawnSync(COMPILER, ['build', '-o', program, '.'], options)
  if (built.status === 0) return { program }
  const [why = ''] = built.stderr.trim().split('\n').slice(-1)
  return {
    missing: fetch
      ? `its modules could not be fetched: ${why.slice(0, 160)}`
      : 'its Go modules are not on this machine; --fetch-peers gets them',
  }
}

/** @param redis `null`: history in memory */
export async function startCentrifuge(
  program: string,
  redis: RedisServer | null,
): Promise<ServerProcess> {
  const port = await freePort()
  const env = { PORT: String(port), ...(redis !== null && { REDIS_URL: redis.url }) }
  const server = await start('centrifuge', program, [], { env, ready: /^ready$/m })
  return { ...server, port, target: { dialect: 'centrifuge', port } }
}
