import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import {
  type Changes,
  findProgram,
  launchProxy,
  placeProxy,
  type ProxyProcess,
} from './proxy-process.ts'

const PROGRAM = findProgram('haproxy', 'HAPROXY_BIN')
export const HAPROXY_IS_HERE = PROGRAM !== null

/** Starts the haproxy of docs/proxies.md in front of a server, with the changes that are given. */
export async function startHaproxy(
  targetPort: number,
  changes: Changes = {},
): Promise<ProxyProcess> {
  const bind = (port: number) => ({ 'bind :80': `bind 127.0.0.1:${port}` })
  const { folder, port, config } = await placeProxy('haproxy', targetPort, bind, changes)
  const control = join(folder, 'control')
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, `global\n  stats socket ${control} level admin\n\n${config}\n`)
  const { url, stop } = await launchProxy({
    program: PROGRAM ?? 'haproxy',
    args: ['-db', '-f', file],
    folder,
    port,
  })
  return { url, stop, cut: () => say(control, 'shutdown sessions server nodes/a') }
}

/** A command to the program that runs, as its administrators give them. @throws Error what it said against it */
async function say(control: string, command: string): Promise<void> {
  const socket = connect(control)
  await once(socket, 'connect')
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text
  })
  socket.end(`${command}\n`)
  await once(socket, 'close')
  if (answer.trim() !== '') throw new Error(`haproxy: ${answer.trim()}`)
}
