import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** The command on a Node of another version, which has no SQLite. */
function runOn(version: string): Promise<{ readonly code: unknown; readonly stderr: string }> {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`
  const args = ['--no-experimental-sqlite', '--import', `data:text/javascript,${pretend}`]
  return new Promise((resolve) => {
    execFile(process.execPath, [...args, join(root, 'src/main.ts'), 'serve'], (error, _, stderr) =>
      resolve({ code: error?.code, stderr }),
    )
  })
}

test('on a Node that is too old the command says which one it needs, in a line, and nothing else', async () => {
  // npm's own file.
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    readonly engines: { readonly node: string }
  }
  for (const version of ['20.20.2', '22.17.1']) {
    expect(await runOn(version)).toEqual({
      code: 1,
      stderr: `heldline: unable to run on Node.js ${version}; it needs ${engines.node.slice(2)} or later\n`,
    })
  }
})
