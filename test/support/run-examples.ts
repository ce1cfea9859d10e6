import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll } from 'vitest'
import type { Page } from './docs-example.ts'
import { startLocalServer, type LocalServer } from './local-server.ts'

/** For the programs around examples. */
export const IMPORT_UNTIL = `import { until } from '${import.meta.resolve('./until.ts')}'`

export interface Said {
  readonly id: string
  readonly parent: string | null
  readonly parts: readonly { readonly text?: string }[]
}

export interface Examples {
  readonly server: LocalServer
  /** What is here as a program is a command of the shell's. */
  readonly folder: string
  /** Runs an example in a shell. @returns what it wrote */
  readonly sh: (name: string) => Promise<string>
  /** Runs a program around an example, with the sources in the place of the package. @returns what it wrote */
  readonly node: (program: string) => Promise<string>
  /** A request with the server's key. */
  readonly ask: (method: string, path: string) => Promise<Response>
  readonly messages: (session: string) => Promise<readonly Said[]>
}

/** Runs the examples of a page as somebody who reads it, with a server for all of them. */
export function useExamples({ example }: Page): Examples {
  let server: LocalServer
  let folder: string
  beforeAll(async () => {
    server = await startLocalServer()
    folder = await mkdtemp(join(tmpdir(), 'heldline-docs-'))
  })
  afterAll(async () => {
    await server?.close()
    await rm(folder, { recursive: true })
  })
  const run = async (program: string, args: readonly string[]): Promise<string> => {
    const env = {
      ...process.env,
      HELDLINE_URL: server.url,
      HELDLINE_KEY: server.key,
      PATH: `${folder}${delimiter}${process.env['PATH']}`,
    }
    const { stdout } = await promisify(execFile)(program, args, { env, timeout: 25_000 })
    return stdout
  }
  const ask: Examples['ask'] = (method, path) =>
    fetch(`${server.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${server.key}` },
    })
  return {
    get server() {
      return server
    },
    get folder() {
      return folder
    },
    sh: (name) => run('bash', ['-c', `set -e\n${example(name)}`]),
    async node(program) {
      const file = join(folder, 'example.mjs')
      const host = new URL(server.url).host
      await writeFile(file, withSources(program).replaceAll('127.0.0.1:4400', host))
      return run(process.execPath, [file])
    },
    ask,
    async messages(session) {
      const response = await ask('GET', `/sessions/${session}/messages`)
      return ((await response.json()) as { readonly messages: readonly Said[] }).messages
    },
  }
}

/** A module that finds what it imports from wherever it lies, and exports nothing. */
function withSources(program: string): string {
  return program
    .replaceAll(/^(\s*)export /gm, '$1')
    .replaceAll(
      /(from |import\()'([@\w][^']*)'/g,
      (_, before: string, name: string) => `${before}'${placeOf(name)}'`,
    )
}

function placeOf(name: string): string {
  const entry = /^heldline\/(\w+)$/.exec(name)?.[1]
  return import.meta.resolve(entry === undefined ? name : `../../src/${entry}/index.ts`)
}
