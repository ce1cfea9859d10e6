import { describeInputs, type Two } from '../contract/inputs.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'
import type { OpenStore } from '../contract/store.ts'

/** In one process, both nodes are on the same store. */
const shared = (open: OpenStore) => async (): Promise<Two> => {
  const opened = await open()
  return { one: opened, two: opened, close: () => opened.close() }
}

describeInputs('memory', shared(openMemory))
describeInputs('SQLite', shared(openSqlite))
