import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { describeStoreContract } from '../contract/store.ts'

describeStoreContract('memory', async () => {
  let offsetMs = 0
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, () => Date.now() + offsetMs)
  return {
    store,
    signals,
    advance: (byMs) => {
      offsetMs += byMs
    },
    close: () => store.close(),
  }
})
