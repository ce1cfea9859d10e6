import { describeControl } from '../contract/control.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'

describeControl('memory', openMemory)
describeControl('SQLite', openSqlite)
