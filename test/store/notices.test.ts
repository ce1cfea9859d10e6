import { describeNotices } from '../contract/notices.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'

describeNotices('memory', openMemory)
describeNotices('SQLite', openSqlite)
