import { describeState } from '../contract/state.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'

describeState('memory', openMemory)
describeState('SQLite', openSqlite)
