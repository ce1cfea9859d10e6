import { openMemory, openSqlite } from '../contract/stores.ts'
import { describeRemembered } from '../contract/remembered.ts'

describeRemembered('memory', openMemory, 5000)
describeRemembered('SQLite', openSqlite, 1302)
