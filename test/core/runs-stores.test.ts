import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SqliteStore } from '../../src/store/sqlite/store.ts'
import { describeRuns } from '../contract/runs.ts'

describeRuns('memory', async () => {
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, () => Date.now())
  return { store, signals, close: () => store.close() }
})

describeRuns('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'heldline-runs-'))
  const signals = new LocalSignals()
  const store = await SqliteStore.open({ folder, signals, now: () => Date.now() })
  return {
    store,
    signals,
    close: async () => {
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})
