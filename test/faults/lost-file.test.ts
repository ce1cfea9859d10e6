import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'

const LONG = 60_000

async function start(): Promise<{ readonly server: ServerProcess; readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'heldline-lost-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const server = await startServerProcess({ DATA_DIR: join(folder, 'data') })
  onTestFinished(() => server.stop())
  await ask(server, 'PUT', '/v1/sessions/one', {})
  expect(await append(server, 'first')).toMatchObject({ first: 2 })
  return { server, folder }
}

async function ask(server: ServerProcess, method: string, path: string, body: unknown) {
  const authorization = `Basic ${Buffer.from(API_KEY).toString('base64')}`
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await answer.json()) as unknown
}

const append = (server: ServerProcess, id: string, text = ''): Promise<unknown> =>
  ask(server, 'POST', '/v1/sessions/one/events', [{ id, type: 'x.note', data: { text } }])

test(
  'a backup that is put in the place of the open file: nothing more is acknowledged, and the next start serves it',
  async () => {
    const { server, folder } = await start()
    const [data, backup] = [join(folder, 'data'), join(folder, 'backup')]
    cpSync(data, backup, { recursive: true })
    renameSync(data, join(folder, 'old'))
    renameSync(backup, data)
    expect(await append(server, 'second')).toMatchObject({ code: 'outcome_unknown' })
    expect(await server.exit()).toEqual({ code: 1, signal: null })
    expect(server.output.match(/store\.failed/g)).toHaveLength(1)
    expect(server.output).toContain('removed or replaced')
    await server.restart()
    expect(await append(server, 'second')).toMatchObject({ first: 3, duplicates: 0 })
  },
  LONG,
)

test(
  'a file whose pages are damaged: the server says what is wrong and what to do, and ends',
  async () => {
    const { server, folder } = await start()
    await server.kill('SIGTERM')
    overwrite(join(folder, 'data', 'heldline.db'))
    await server.restart()
    expect(await append(server, 'second')).toMatchObject({ code: 'outcome_unknown' })
    expect(await server.exit()).toEqual({ code: 1, signal: null })
    expect(server.output.match(/store\.failed/g)).toHaveLength(1)
    expect(server.output).toMatch(/malformed.*docs\/durability\.md/)
  },
  LONG,
)

/** The first page of the events and of their index. */
function overwrite(file: string): void {
  const db = new DatabaseSync(file)
  const roots = db.prepare(`SELECT rootpage AS root FROM sqlite_schema WHERE tbl_name = 'events'`)
  const pages = roots.all().map(({ root }) => Number(root))
  db.close()
  const bytes = readFileSync(file)
  for (const page of pages) bytes.fill(0xff, (page - 1) * 4096, page * 4096)
  writeFileSync(file, bytes)
}

test.skipIf(process.platform !== 'linux')(
  'a disk that fails a write: the server says why and ends, so that it can be started again',
  async () => {
    const { server } = await start()
    // What a quota does, too: a write that fails otherwise than for want of room.
    execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=4096:4096'])
    expect(await append(server, 'large', 'x'.repeat(50_000))).toMatchObject({
      code: 'outcome_unknown',
    })
    expect(await server.exit()).toEqual({ code: 1, signal: null })
    expect(server.output.match(/store\.failed/g)).toHaveLength(1)
    expect(server.output).toContain('disk I/O error')
    await server.restart()
    expect(await append(server, 'large', 'x'.repeat(50_000))).toMatchObject({ first: 3 })
    expect(await append(server, 'first')).toMatchObject({ duplicates: 1 })
  },
  LONG,
)
