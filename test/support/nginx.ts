import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Changes,
  findProgram,
  launchProxy,
  placeProxy,
  type ProxyProcess,
} from './proxy-process.ts'

const PROGRAM = findProgram('nginx', 'NGINX_BIN')
export const NGINX_IS_HERE = PROGRAM !== null

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

/** Starts the nginx of docs/proxies.md in front of a server, with the changes that are given. */
export async function startNginx(targetPort: number, changes: Changes = {}): Promise<ProxyProcess> {
  const bind = (port: number) => ({ 'listen 80;': `listen 127.0.0.1:${port};` })
  const { folder, port, config } = await placeProxy('nginx', targetPort, bind, changes)
  const file = join(folder, 'nginx.conf')
  await writeFile(file, around(config, folder))
  const args = ['-p', folder, '-e', join(folder, 'error.log'), '-c', file]
  const { url, child, stop } = await launchProxy({
    program: PROGRAM ?? 'nginx',
    args,
    folder,
    port,
  })
  return {
    url,
    stop,
    // A reload: new workers take what comes, and the old ones end with all that they hold.
    cut: async () => void child.kill('SIGHUP'),
  }
}

/** What a system's own nginx.conf has around the sites. Without root, the line about the user is passed over. */
function around(sites: string, folder: string): string {
  return [
    'daemon off;',
    'worker_processes 1;',
    'worker_shutdown_timeout 50ms;',
    `pid ${folder}/nginx.pid;`,
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'events { worker_connections 512; }',
    'http {',
    'access_log off;',
    ...TEMPORARY.map((name) => `${name}_temp_path ${folder}/${name};`),
    sites,
    '}',
    '',
  ].join('\n')
}
