import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** What every test server accepts. */
export const API_KEY = 'agent:a-key-of-forty-characters-for-the-tests'
export const TOKEN_SECRET = 'a-token-secret-of-forty-characters-tests'

export type ServerEnv = Readonly<Record<string, string>>

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServerProcess {
  readonly url: string
  readonly port: number
  readonly pid: number | undefined
  readonly running: boolean
  /** How often it was killed while it ran. */
  readonly kills: number
  /** The last lines that it wrote, for the message of a test that fails. */
  readonly output: string
  /** Sends a signal and returns at once. */
  signal(name: NodeJS.Signals): void
  /** Ends it, SIGKILL unless said, and waits until it is gone; the data stays. */
  kill(name?: NodeJS.Signals): Promise<Exit>
  /** Resolves when the process that runs now is gone. */
  exit(): Promise<Exit>
  /** Starts it again (killing it first where it runs) on the same port and data, and waits until it is ready. */
  restart(changes?: ServerEnv): Promise<void>
  /** The memory that it has in use, in bytes. */
  residentBytes(): Promise<number>
  /** Kills it and removes its data. Idempotent. */
  stop(): Promise<void>
}

const READY_WITHIN_MS = 60_000
const OUTPUT_KEPT = 16_384
const MAIN = join(import.meta.dirname, '../../src/main.ts')
const COMPILE_CACHE = join(tmpdir(), 'heldline-compile-cache')
const running = new Set<ChildProcess>()
const folders = new Set<string>()

// Tests that crash, or are stopped, leave nothing behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/**
 * Starts a server of its own, on a free port and an own data folder, and waits until it is ready.
 * @param main the program; the sources unless said
 */
export async function startServerProcess(env: ServerEnv = {}, main = MAIN): Promise<ServerProcess> {
  const port = await freePort()
  const dir = await mkdtemp(join(tmpdir(), 'heldline-node-'))
  folders.add(dir)
  let settings: ServerEnv = { PORT: `${port}`, DATA_DIR: dir, ...env }
  let output = ''
  let kills = 0
  let child = launch(main, settings, hear)

  function hear(text: string): void {
    output = (output + text).slice(-OUTPUT_KEPT)
  }
  const alive = (): boolean => child.exitCode === null && child.signalCode === null
  const exit = async (): Promise<Exit> => {
    if (alive()) await once(child, 'exit')
    return { code: child.exitCode, signal: child.signalCode }
  }
  const kill = async (name: NodeJS.Signals = 'SIGKILL'): Promise<Exit> => {
    if (alive()) {
      kills++
      child.kill(name)
    }
    return exit()
  }
  const server: ServerProcess = {
    url: `http://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid
    },
    get running() {
      return alive()
    },
    get kills() {
      return kills
    },
    get output() {
      return output
    },
    signal: (name) => void child.kill(name),
    kill,
    exit,
    restart: async (changes = {}) => {
      await kill()
      settings = { ...settings, ...changes }
      child = launch(main, settings, hear)
      await untilReady(server)
    },
    residentBytes: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
    },
    stop: async () => {
      await kill()
      await rm(dir, { recursive: true, force: true })
      folders.delete(dir)
    },
  }
  try {
    await untilReady(server)
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

/**
 * Lets one server come and go in peace: Node keeps what it compiled only then, and every later start takes half the time. For tests that
 * kill and start many.
 */
export async function warmUp(): Promise<void> {
  const server = await startServerProcess({ DRAIN_MS: '0' })
  await server.kill('SIGTERM')
  await server.stop()
}

function launch(main: string, settings: ServerEnv, hear: (text: string) => void): ChildProcess {
  const env = {
    PATH: process.env['PATH'] ?? '',
    NODE_ENV: 'test',
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    DEMO: 'off',
    API_KEYS: API_KEY,
    TOKEN_SECRET,
    ...settings,
  }
  const child = spawn(process.execPath, [main, 'serve'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', () => running.delete(child))
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', hear)
  return child
}

async function untilReady(server: ServerProcess): Promise<void> {
  await until(
    'the server is ready',
    async () => {
      if (!server.running) throw new Error(`the server did not start: ${server.output}`)
      const answer = await fetch(`${server.url}/readyz`, {
        signal: AbortSignal.timeout(5000),
      }).catch(() => null)
      await answer?.body?.cancel()
      return answer?.status === 200
    },
    { withinMs: READY_WITHIN_MS, instead: () => server.output },
  )
}
