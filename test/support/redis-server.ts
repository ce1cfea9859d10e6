import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.ts'

/** Settings as redis.conf has them: `{ appendonly: 'yes', replicaof: '127.0.0.1 6379' }`. */
export type RedisSettings = Readonly<Record<string, string>>

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Kills the process and waits until it is gone; the data stays. SIGKILL unless said; SIGSTOP and SIGCONT return at once. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again (killing it first where it runs) on the same port and data, and waits until it answers. */
  restart(changes?: RedisSettings): Promise<void>
  /** One command by a connection of its own; arguments without spaces in them. Gives the reply as it came. */
  ask(...command: readonly string[]): Promise<string>
  /** Kills the process and removes the data. Idempotent. */
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()

// Tests that crash, or are stopped, leave nothing behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a redis-server of its own on a free port, with an append-only file unless told otherwise, and waits until it answers. */
export function startRedis(settings: RedisSettings = {}): Promise<RedisServer> {
  let all: RedisSettings = { appendonly: 'yes', save: '', ...settings }
  return start(async (port, dir, changes) => {
    all = { ...all, ...changes }
    return argumentsOf(port, dir, all)
  })
}

type Arguments = (port: number, dir: string, changes: RedisSettings) => Promise<readonly string[]>

async function start(args: Arguments): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'heldline-redis-'))
  const port = await freePort()
  let child = launch(await args(port, dir, {}))
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await gone
  }
  const server: RedisServer = {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    ask: (...command) => ask(port, command),
    restart: async (changes = {}) => {
      await kill()
      child = launch(await args(port, dir, changes))
      await untilReady(port, child)
    },
    stop: async () => {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
  try {
    await untilReady(port, child)
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

/**
 * Starts a Sentinel that watches the primary alone, under the name `main`, and fails over after 1.5 s. A replica that is slow to answer for so long is no
 * candidate, and then it tries again after twice its time-out: both fit a slow machine.
 * @param more further lines of its configuration
 */
export async function startSentinel(
  primary: Pick<RedisServer, 'port'>,
  {
    host = '127.0.0.1',
    more = [],
  }: { readonly host?: string; readonly more?: readonly string[] } = {},
): Promise<RedisServer> {
  return start(async (port, dir) => {
    const file = join(dir, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      `dir ${dir}`,
      'bind 127.0.0.1',
      ...more,
      `sentinel monitor main ${host} ${primary.port} 1`,
      'sentinel down-after-milliseconds main 1500',
      'sentinel failover-timeout main 1000',
    ]
    await writeFile(file, lines.join('\n'))
    return [file, '--sentinel']
  })
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  /** Of each primary the one replica, where there are any. */
  readonly replicas: readonly RedisServer[]
  stop(): Promise<void>
}

/** Starts so many primaries, gives each its part of the slots, and waits until all of them know it; with a replica for each, where that is wanted. */
export async function startCluster(
  size = 3,
  settings: RedisSettings = {},
  { replicated = false } = {},
): Promise<RedisCluster> {
  const all = await Promise.all(
    Array.from({ length: replicated ? 2 * size : size }, () =>
      startRedis({
        'cluster-enabled': 'yes',
        'cluster-node-timeout': '2000',
        'cluster-require-full-coverage': 'no',
        'repl-diskless-sync-delay': '0',
        ...settings,
      }),
    ),
  )
  const [nodes, replicas] = [all.slice(0, size), all.slice(size)]
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((node) => node.stop()))
  }
  try {
    for (const [index, node] of nodes.entries()) {
      const [from, to] = [share(index, size), share(index + 1, size) - 1]
      await node.ask('cluster', 'addslotsrange', `${from}`, `${to}`)
      await node.ask('cluster', 'set-config-epoch', `${index + 1}`)
      for (const other of all) await node.ask('cluster', 'meet', '127.0.0.1', `${other.port}`)
    }
    await until('the nodes of the Cluster have met', async () => {
      const infos = await Promise.all(all.map((node) => node.ask('cluster', 'info')))
      return infos.every(
        (info) =>
          info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${all.length}\r`),
      )
    })
    for (const [index, replica] of replicas.entries()) {
      const id = /[0-9a-f]{40}/.exec((await nodes[index]?.ask('cluster', 'myid')) ?? '')?.[0] ?? ''
      await replica.ask('cluster', 'replicate', id)
    }
    await until('the replicas follow their primaries', async () => {
      const infos = await Promise.all(replicas.map((node) => node.ask('info', 'replication')))
      return infos.every((info) => info.includes('master_link_status:up'))
    })
    await until('all nodes know of the replicas', async () => {
      const infos = await Promise.all(all.map((node) => node.ask('cluster', 'nodes')))
      return infos.every((info) => info.split(/ (?:myself,)?slave /).length === replicas.length + 1)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes, replicas, stop }
}

const share = (index: number, size: number): number => Math.floor((index * 16_384) / size)

function argumentsOf(port: number, dir: string, settings: RedisSettings): string[] {
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no']
  for (const [name, value] of Object.entries(settings)) {
    args.push(`--${name}`, ...(value === '' ? [''] : value.split(' ')))
  }
  return args
}

function launch(args: readonly string[]): ChildProcess {
  const program = process.env['REDIS_SERVER_BIN'] ?? 'redis-server'
  const child = spawn(program, args, { stdio: 'ignore' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', () => running.delete(child))
  return child
}

async function untilReady(port: number, child: ChildProcess): Promise<void> {
  await until('redis-server is ready', async () => {
    if (child.exitCode !== null || child.pid === undefined) {
      throw new Error('redis-server did not start; is it installed?')
    }
    return (await ask(port, ['ping']).catch(() => '')) === '+PONG\r\n'
  })
}

function ask(port: number, command: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let reply = Buffer.alloc(0)
    socket.setTimeout(5000, () => socket.destroy(new Error('redis-server did not answer')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('redis-server went away')))
    socket.on('data', (chunk: Buffer) => {
      reply = Buffer.concat([reply, chunk])
      if (endOfReply(reply, 0) === null) return
      resolve(reply.toString())
      socket.destroy()
    })
    const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
    socket.write(`*${command.length}\r\n${parts.join('')}`)
  })
}

/** Where the reply that begins here ends; `null` while it is not all there. */
function endOfReply(reply: Buffer, start: number): number | null {
  const line = reply.indexOf('\r\n', start)
  if (line === -1) return null
  const kind = reply.toString('latin1', start, start + 1)
  const count = Number(reply.toString('latin1', start + 1, line))
  let end: number | null = line + 2
  if (kind === '$' && count >= 0) end += count + 2
  if (kind === '*') {
    for (let part = 0; part < count && end !== null; part++) end = endOfReply(reply, end)
  }
  return end !== null && end <= reply.length ? end : null
}

/** A port that was free a moment ago, and whose Cluster port is a port too. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    server.close()
    await once(server, 'close')
    if (address !== null && typeof address === 'object' && address.port < 55_000) {
      return address.port
    }
  }
}
