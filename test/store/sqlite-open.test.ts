import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { create, events, headOf } from '../contract/store/kit.ts'
import { mainFile, newFolder, openStore } from './sqlite-folder.ts'

const STORM = fileURLToPath(new URL('./sqlite-storm.ts', import.meta.url))

function edit(folder: string, sql: string): void {
  const db = new DatabaseSync(mainFile(folder))
  db.exec(sql)
  db.close()
}

describe('opening SQLite', () => {
  it('refuses a folder that this process has open, and takes it once it is closed', async () => {
    const folder = newFolder()
    const first = await openStore(folder)
    await expect(openStore(folder)).rejects.toThrow(
      /^unable to open; another server uses this data folder/,
    )
    expect(await first.check()).toMatchObject({ ok: true })
    await first.close()
    await openStore(folder)
  })

  it('refuses a folder that another process has open', async () => {
    const folder = newFolder()
    const child = spawn(process.execPath, ['--no-warnings', STORM, folder, '1'])
    onTestFinished(() => void child.kill('SIGKILL'))
    let lines = 0
    for await (const chunk of child.stdout) {
      lines += String(chunk).split('\n').length - 1
      if (lines > 2) break
    }
    await expect(openStore(folder)).rejects.toThrow(/another server uses this data folder/)
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    await openStore(folder)
  })

  it('makes the folder, readable by its owner', async () => {
    const folder = `${newFolder()}/a/b`
    await openStore(folder)
    expect(statSync(folder).mode & 0o007).toBe(0)
  })

  it('refuses data of a newer format, and leaves it alone', async () => {
    const folder = newFolder()
    await (await openStore(folder)).close()
    edit(folder, 'PRAGMA user_version = 999')
    await expect(openStore(folder)).rejects.toThrow(
      /^unable to open; the data has format 999 .* use a newer version$/,
    )
    edit(folder, 'PRAGMA user_version = 1')
    await openStore(folder)
  })

  it('refuses the database of another program', async () => {
    const folder = newFolder()
    edit(folder, 'CREATE TABLE theirs (a); PRAGMA application_id = 7')
    await expect(openStore(folder)).rejects.toThrow(/^unable to open; .* another program/)
  })

  it('refuses a file that it may not write, and names it', async () => {
    const folder = newFolder()
    await (await openStore(folder)).close()
    chmodSync(folder, 0o777)
    chmodSync(mainFile(folder), 0o444)
    const source = new URL('../../src/store/sqlite/folder.ts', import.meta.url).href
    // Not as root, who may write what nobody may.
    const script = `
      const { takeFolder } = await import('${source}')
      if (process.getuid() === 0) process.setuid(65534)
      takeFolder(${JSON.stringify(folder)})`
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script])
    const said = child.stderr.setEncoding('utf8').toArray() as Promise<string[]>
    expect((await said).join('')).toMatch(
      /unable to open; .*heldline\.(db|lock) cannot be written \(EACCES\)/,
    )
  })

  it('refuses a file that is no database', async () => {
    const folder = newFolder()
    writeFileSync(mainFile(folder), 'not a database '.repeat(1000))
    await expect(openStore(folder)).rejects.toThrow(
      /^unable to open; the data file is damaged; SQLite says: file is not a database/,
    )
  })

  it('begins again where the making of the file was interrupted', async () => {
    const folder = newFolder()
    edit(folder, 'PRAGMA journal_mode = WAL')
    const store = await openStore(folder)
    await create(store, { events: events(1) })
  })

  it('names the durability that it was opened with', async () => {
    const fsync = await openStore(newFolder())
    const async = await openStore(newFolder(), { durability: 'async' })
    expect([fsync.durability, async.durability]).toEqual(['fsync', 'async'])
    const { session } = await create(async, { events: events(3) })
    expect(await headOf(async, session)).toMatchObject({ head: 3 })
  })
})
