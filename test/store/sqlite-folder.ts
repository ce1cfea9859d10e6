import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { SqliteStore, type SqliteOptions } from '../../src/store/sqlite/store.ts'

/** A new data folder, gone with the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heldline-sqlite-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A store on the folder, closed with the test. */
export async function openStore(
  folder: string,
  options: Partial<SqliteOptions> = {},
): Promise<SqliteStore> {
  const signals = new LocalSignals()
  const store = await SqliteStore.open({ folder, signals, now: Date.now, ...options })
  onTestFinished(() => store.close())
  return store
}

export const mainFile = (folder: string): string => join(folder, 'heldline.db')
