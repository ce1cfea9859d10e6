import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A script, one file per operation under `lua/`, whose header names its keys, arguments and answers. */
export interface Script {
  readonly name: string
  readonly text: string
  readonly sha: string
}

function load(name: string): Script {
  const text = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}

export const SCRIPTS = {
  commit: load('commit'),
  read: load('read'),
  records: load('records'),
  trim: load('trim'),
  remove: load('remove'),
  due: load('due'),
  list: load('list'),
  forbidden: load('forbidden'),
} as const
