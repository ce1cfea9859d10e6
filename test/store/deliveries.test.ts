import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SqliteStore } from '../../src/store/sqlite/store.ts'
import { describeDeliveries } from '../contract/deliveries.ts'

describeDeliveries('memory', async () => {
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, Date.now)
  return { store, signals, close: () => store.close() }
})

describeDeliveries('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'heldline-deliveries-'))
  const signals = new LocalSignals()
  const store = await SqliteStore.open({ folder, signals, now: Date.now })
  const close = async (): Promise<void> => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { store, signals, close }
})
