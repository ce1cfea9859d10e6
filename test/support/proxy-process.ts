import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readPage } from './docs-example.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** A proxy of its own, in front of one server on this machine. */
export interface ProxyProcess {
  readonly url: string
  /** Cuts every connection that it holds now, as the program itself does it; new ones are taken all the while. */
  cut(): Promise<void>
  /** Ends it and removes its folder. Idempotent. */
  stop(): Promise<void>
}

/** A text that stands in a configuration, and what the test puts in its place. Every one has to be there. */
export type Changes = Readonly<Record<string, string>>

const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
const running = new Set<ChildProcess>()
const folders = new Set<string>()

// Tests that crash, or are stopped, leave nothing behind: at SIGTERM a proxy takes its workers along.
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Where a program is, or `null`. System administration's folders are not on everybody's path. */
export function findProgram(name: string, variable: string): string | null {
  const named = process.env[variable]
  const places = named === undefined ? FOLDERS.map((folder) => join(folder, name)) : [named]
  return places.find(isProgram) ?? null
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The configuration that docs/proxies.md shows, with the changes of a test. @throws Error where one of them finds nothing to change */
function documented(name: string, changes: Changes): string {
  let text = readPage('docs/proxies.md').example(name)
  for (const [there, instead] of Object.entries(changes)) {
    if (!text.includes(there)) throw new Error(`the configuration of ${name} has no "${there}"`)
    text = text.replaceAll(there, instead)
  }
  return text
}

export interface Place {
  /** It goes with the proxy, or with the process. */
  readonly folder: string
  readonly port: number
  /** As docs/proxies.md shows it, in front of the server, with the changes of a test. */
  readonly config: string
}

/** @param bind puts a port in the place of the one that the configuration listens to */
export async function placeProxy(
  name: string,
  targetPort: number,
  bind: (port: number) => Changes,
  changes: Changes,
): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), `heldline-${name}-`))
  folders.add(folder)
  const port = await freePort()
  const target = { '127.0.0.1:4400': `127.0.0.1:${targetPort}` }
  return { folder, port, config: documented(name, { ...target, ...bind(port), ...changes }) }
}

export interface Launch {
  readonly program: string
  readonly args: readonly string[]
  readonly folder: string
  readonly port: number
}

/** Starts one in the foreground, and waits until it takes connections. */
export async function launchProxy(launch: Launch) {
  const { program, args, folder, port } = launch
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  running.add(child)
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-8192)
  })
  child.once('error', (error) => {
    output += String(error)
    running.delete(child)
  })
  child.once('exit', () => running.delete(child))
  const gone = (): boolean => !running.has(child)
  const stop = async (): Promise<void> => {
    if (!gone()) {
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      await exit
    }
    await rm(folder, { recursive: true, force: true })
    folders.delete(folder)
  }
  try {
    await until(
      `${program} listens`,
      async () => {
        if (gone()) throw new Error(`${program} did not start: ${output}`)
        return listens(port)
      },
      { instead: () => output },
    )
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `http://127.0.0.1:${port}`, child, stop }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
