import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import type { MountResponse } from './mount.ts'

/** `.ts` when the server runs from its sources, `.js` when it was built: the client's modules are served as they are. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** Where the page finds the client. */
export const CLIENT_ENTRY = `/demo/lib/client/index${EXTENSION}`

const MODULE = /^\/demo\/lib\/((?:client|protocol|sdk)(?:\/[a-z0-9-]+)+)\.(ts|js)$/

/** A module of the client for a browser: the very files of this server, with their types taken out. `null`: not one of them. */
export async function clientModule(path: string): Promise<MountResponse | null> {
  const match = MODULE.exec(path)
  if (match === null || `.${match[2]}` !== EXTENSION) return null
  const file = new URL(`../${match[1]}${EXTENSION}`, import.meta.url)
  const source = await readFile(file, 'utf8').catch(() => null)
  if (source === null) return null
  const body = EXTENSION === '.ts' ? stripTypeScriptTypes(source) : source
  return { status: 200, headers: { 'content-type': 'text/javascript; charset=utf-8' }, body }
}
