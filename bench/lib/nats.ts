import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, openNats, STREAM } from '../load/nats.ts'
import { freePort, removeFolder, start, temporaryFolder } from './processes.ts'
import type { ServerProcess } from './servers.ts'

const SERVER = 'nats-server'

/** Whether it is on this machine: Debian's package of the same name. */
export function hasNats(): boolean {
  return spawnSync(SERVER, ['--version']).status === 0
}

/** A server with JetStream on files and one stream. It syncs them every two minutes, which is its default. */
export async function startNats(): Promise<ServerProcess> {
  const port = await freePort()
  const folder = temporaryFolder('nats')
  const file = join(folder, 'nats.conf')
  writeFileSync(
    file,
    [
      `listen: "127.0.0.1:${await freePort()}"`,
      `websocket { listen: "127.0.0.1:${port}", no_tls: true }`,
      `jetstream { store_dir: "${folder}", max_mem: 1G, max_file: 8G }`,
    ].join('\n'),
  )
  const ready = /Server is ready/
  const server = await start('nats', SERVER, ['--config', file], { ready })
  const ws = await openNats(port)
  const subjects = [`${STREAM}.>`]
  await ask(ws, `$JS.API.STREAM.CREATE.${STREAM}`, { name: STREAM, subjects, storage: 'file' })
  ws.terminate()
  const stop = async (signal?: NodeJS.Signals): Promise<void> => {
    await server.stop(signal)
    removeFolder(folder)
  }
  return { ...server, port, target: { dialect: 'nats', port }, stop }
}
