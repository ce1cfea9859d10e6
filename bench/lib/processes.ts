import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Everything that a run starts or puts on the disk; all of it is gone when the run is. */

export interface Process {
  readonly name: string
  readonly pid: number
  /** Ends it, by its id, and waits until it has ended. Idempotent. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

const running = new Set<ChildProcess>()
const folders = new Set<string>()
const READY_WITHIN_MS = 90_000
const STOP_WITHIN_MS = 10_000

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** It is ready when this stands in its output, or when this resolves. */
  readonly ready: RegExp | (() => Promise<boolean>)
}

export async function start(
  name: string,
  command: string,
  args: readonly string[],
  { env = {}, cwd, ready }: StartOptions,
): Promise<Process> {
  const { PATH = '', HOME = '/tmp' } = process.env
  // Nothing of the caller's settings: a run is the same wherever it is started.
  const child = spawn(command, args, {
    env: { PATH, HOME, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let output = ''
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
    child.once('error', (error) => {
      output += error.message
      resolve()
    })
  })
  let alive = true
  let stopping = false
  child.once('close', () => {
    alive = false
    running.delete(child)
    if (!stopping && code(child) !== 0) console.error(`${name} ended by itself:\n${output}`)
  })
  const until = Date.now() + READY_WITHIN_MS
  for (;;) {
    if (!alive) throw new Error(`unable to start ${name}:\n${output}`)
    if (ready instanceof RegExp ? ready.test(output) : await ready()) break
    if (Date.now() > until) throw new Error(`unable to start ${name} in time:\n${output}`)
    await sleep(20)
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    stopping = true
    if (!alive) return
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
    await ended
    clearTimeout(timer)
  }
  return { name, pid: child.pid ?? 0, stop }
}

const code = (child: ChildProcess): number => child.exitCode ?? (child.signalCode === null ? 0 : 1)

/** A folder on the disk, for one server's data. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `heldline-bench-${name}-`))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return port
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** The last resort, when the run itself ends early. */
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
