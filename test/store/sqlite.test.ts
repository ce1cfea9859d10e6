import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { SqliteStore } from '../../src/store/sqlite/store.ts'
import { describeStoreContract, type OpenedStore } from '../contract/store.ts'

async function open(folder: string): Promise<OpenedStore> {
  let offsetMs = 0
  const signals = new LocalSignals()
  const now = () => Date.now() + offsetMs
  const store = await SqliteStore.open({ folder, signals, now })
  return {
    store,
    signals,
    advance: (byMs) => {
      offsetMs += byMs
    },
    reopen: async () => {
      await store.close()
      return open(folder)
    },
    close: async () => {
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

describeStoreContract('SQLite', () => open(mkdtempSync(join(tmpdir(), 'heldline-contract-'))))
