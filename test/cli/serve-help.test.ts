import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

test.each(['--help', '-h'])('serve %s starts nothing and names every setting', async (option) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, 'serve', option])
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^heldline serve\n/)
  const names = Object.values(SETTINGS).flatMap((table) => Object.keys(table))
  expect(names.filter((name) => !stdout.includes(`\n#${name}=`))).toEqual([])
})
