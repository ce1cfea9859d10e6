import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** What the figures were measured on: without it they say nothing. */
export function describeMachine(): Readonly<Record<string, string>> {
  const [cpu] = cpus()
  const root = new URL('../..', import.meta.url)
  const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Manifest
  const { devDependencies, dependencies } = manifest
  return {
    Date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    Machine: `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    System: `${process.platform} ${release()}`,
    'Load before': loadavg()
      .map((load) => load.toFixed(2))
      .join(' '),
    Heldline: `${manifest.version} (${commit()})`,
    'Node.js': `${process.version}, SQLite ${process.versions['sqlite'] ?? '?'}`,
    Redis: /v=(\S+)/.exec(output('redis-server', '--version'))?.[1] ?? 'unknown',
    ws: dependencies['ws'] ?? '?',
    Fastify: dependencies['fastify'] ?? '?',
    'Socket.IO': `${devDependencies['socket.io'] ?? '?'}, Redis Streams adapter ${devDependencies['@socket.io/redis-streams-adapter'] ?? '?'}`,
  }
}

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'no commit known'
  }
}

function output(command: string, argument: string): string {
  return spawnSync(command, [argument], { encoding: 'utf8' }).stdout
}
