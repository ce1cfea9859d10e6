import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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

const READY_WITHIN_MS = 15_000
const running = new Set<ChildProcess>()

// Tests that crash, or are stopped, leave nothing behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a redis-server of its own on a free port, with an append-only file unless told otherwise, and waits until it answers. */
export async function startRedis(settings: RedisSettings = {}): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'heldline-redis-'))
  const port = await freePort()
  let all: RedisSettings = { appendonly: 'yes', save: '', ...settings }
  let child = launch(port, dir, all)
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
      all = { ...all, ...changes }
      child = launch(port, dir, all)
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

/** Starts so many primaries, gives each its part of the slots, and waits until all of them know it. */
export async function startCluster(
  size = 3,
  settings: RedisSettings = {},
): Promise<{ readonly nodes: readonly RedisServer[]; stop(): Promise<void> }> {
  const nodes = await Promise.all(
    Array.from({ length: size }, () =>
      startRedis({
        'cluster-enabled': 'yes',
        'cluster-node-timeout': '2000',
        'cluster-require-full-coverage': 'no',
        ...settings,
      }),
    ),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  try {
    for (const [index, node] of nodes.entries()) {
      const [from, to] = [share(index, size), share(index + 1, size) - 1]
      await node.ask('cluster', 'addslotsrange', `${from}`, `${to}`)
      await node.ask('cluster', 'set-config-epoch', `${index + 1}`)
      for (const other of nodes) await node.ask('cluster', 'meet', '127.0.0.1', `${other.port}`)
    }
    await until(async () => {
      const infos = await Promise.all(nodes.map((node) => node.ask('cluster', 'info')))
      return infos.every(
        (info) =>
          info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}\r`),
      )
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes, stop }
}

const share = (index: number, size: number): number => Math.floor((index * 16_384) / size)

function launch(port: number, dir: string, settings: RedisSettings): ChildProcess {
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no']
  for (const [name, value] of Object.entries(settings)) {
    args.push(`--${name}`, ...(value === '' ? [''] : value.split(' ')))
  }
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', () => running.delete(child))
  return child
}

async function untilReady(port: number, child: ChildProcess): Promise<void> {
  await until(async () => {
    if (child.exitCode !== null || child.pid === undefined) {
      throw new Error('redis-server did not start; is it installed?')
    }
    return (await ask(port, ['ping']).catch(() => '')) === '+PONG\r\n'
  })
}

/** Asks again until it is so. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + READY_WITHIN_MS
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('redis-server was not ready in time')
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
  }
}

function ask(port: number, command: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let reply = ''
    socket.setEncoding('utf8')
    socket.setTimeout(5000, () => socket.destroy(new Error('redis-server did not answer')))
    socket.on('error', reject)
    socket.on('data', (text: string) => {
      reply += text
    })
    socket.on('end', () => resolve(reply.replace(/\+OK\r\n$/, '') || reply))
    const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
    // QUIT ends the connection after the reply, so that its end is known without reading it.
    socket.write(`*${command.length}\r\n${parts.join('')}*1\r\n$4\r\nQUIT\r\n`)
  })
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
