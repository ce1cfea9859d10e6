import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SqliteStore } from '../../src/store/sqlite/store.ts'
import type { OpenedStore } from './store.ts'

/** A store in memory, for a suite that takes any. */
export async function openMemory(): Promise<OpenedStore> {
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, Date.now)
  return { store, signals, close: () => store.close() }
}

/** A store in a folder of its own. */
export async function openSqlite(): Promise<OpenedStore> {
  return openSqliteIn(mkdtempSync(join(tmpdir(), 'heldline-suite-')))
}

async function openSqliteIn(folder: string): Promise<OpenedStore> {
  const signals = new LocalSignals()
  const store = await SqliteStore.open({ folder, signals, now: Date.now })
  const close = async (): Promise<void> => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
  const reopen = async (): Promise<OpenedStore> => {
    await store.close()
    return openSqliteIn(folder)
  }
  return { store, signals, reopen, close }
}
