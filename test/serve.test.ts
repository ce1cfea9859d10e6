import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const main = join(import.meta.dirname, '../src/main.ts')
const production = {
  NODE_ENV: 'production',
  API_KEYS: 'backend:mY1Yk0wQz9vJ3xT7bN5cR2fH8dL6sG4a',
  TOKEN_SECRET: 'pW8eU2iO6aS0dF4gH9jK3lZ7xC1vB5nM',
  ALLOWED_ORIGINS: 'https://app.example.com',
}

test.each([
  [
    'development',
    {},
    /^heldline: unable to keep development credentials in .+; ENOTDIR: .*DATA_DIR/,
  ],
  [
    'production',
    production,
    /^heldline: unable to open; the data folder .+ cannot be made \(ENOTDIR\)/,
  ],
])('a data folder that cannot be made is a line and an exit code, in %s', async (_, env, line) => {
  const folder = await mkdtemp(join(tmpdir(), 'heldline-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'file')
  await writeFile(file, '')
  const settings = { PATH: process.env['PATH'], PORT: '0', DATA_DIR: join(file, 'data'), ...env }
  const [code, stderr] = await new Promise<[unknown, string]>((resolve) => {
    const args = ['--disable-warning=ExperimentalWarning', main]
    execFile(process.execPath, args, { env: settings }, (error, _out, stderr) =>
      resolve([error?.code, stderr]),
    )
  })
  expect(stderr).toMatch(line)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(code).toBe(1)
})
