import { fileURLToPath } from 'node:url'
import { API_KEY, type Target } from '../load/target.ts'
import { freePort, removeFolder, start, temporaryFolder, type Process } from './processes.ts'
import type { RedisServer } from './redis-server.ts'

export interface ServerProcess extends Process {
  readonly port: number
  readonly target: Target
}

/** Signs the tokens of a run. */
export const TOKEN_SECRET = 'the-secret-of-the-tokens-of-a-benchmark-0123456789'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export type StoreKind = 'sqlite' | 'redis'

/** Where Redis is, as the settings of a node say it. */
export interface RedisPlace {
  readonly url: string
  readonly cluster?: boolean
}

export interface HeldlineOptions {
  readonly store: StoreKind
  readonly redis: RedisPlace
  /** Kept by the caller, for a server that is started again on its data; else one of its own. */
  readonly folder?: string
  readonly nodeFlags?: readonly string[]
  /** Writes a CPU profile into this folder when it ends. */
  readonly profileTo?: string | undefined
}

/** A Heldline node as anyone would start it, with the bounds on one client's pace out of the way. */
export async function startHeldline(options: HeldlineOptions): Promise<ServerProcess> {
  const { store, redis, nodeFlags = [], profileTo } = options
  const port = await freePort()
  const folder = options.folder ?? temporaryFolder('data')
  const profile = profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileTo}`]
  const env = {
    PORT: String(port),
    HOST: '127.0.0.1',
    DATA_DIR: folder,
    API_KEYS: API_KEY,
    TOKEN_SECRET,
    LOG_LEVEL: 'error',
    FRAMES_PER_SECOND: '1000000',
    FRAMES_BURST: '1000000',
    MAX_CONNECTIONS: '50000',
    DRAIN_MS: '0',
    ...(store === 'redis' && { REDIS_URL: redis.url }),
    ...(store === 'redis' && redis.cluster === true && { REDIS_CLUSTER: 'true' }),
  }
  const args = [...nodeFlags, ...profile, 'src/main.ts', 'serve']
  const ready = (): Promise<boolean> => answers(`http://127.0.0.1:${port}/readyz`)
  const server = await start(`heldline ${store}`, process.execPath, args, { env, cwd: ROOT, ready })
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await server.stop(signal)
    if (options.folder === undefined) removeFolder(folder)
  }
  return { ...server, port, target: { dialect: 'heldline', port }, stop }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** A server of the bench's own: a ceiling, or a peer that runs on Node. */
export async function startOwn(
  file: `${'ceilings' | 'peers'}/${string}.ts`,
  dialect: Target['dialect'],
  env: Readonly<Record<string, string>> = {},
  nodeFlags: readonly string[] = [],
): Promise<ServerProcess> {
  const port = await freePort()
  const folder = temporaryFolder('own')
  const server = await start(
    file,
    process.execPath,
    ['--no-warnings', '--max-old-space-size=4096', ...nodeFlags, `bench/${file}`],
    { env: { PORT: String(port), DATA_DIR: folder, ...env }, cwd: ROOT, ready: /^ready$/m },
  )
  const stop = async (): Promise<void> => {
    await server.stop()
    removeFolder(folder)
  }
  return { ...server, port, target: { dialect, port }, stop }
}

export function startSocketIo(
  redis: RedisServer,
  nodeFlags: readonly string[] = [],
): Promise<ServerProcess> {
  return startOwn('peers/socket-io.ts', 'socket.io', { REDIS_URL: redis.url }, nodeFlags)
}
