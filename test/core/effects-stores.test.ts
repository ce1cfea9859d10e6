import { describeEffects } from '../contract/effects.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'

describeEffects('memory', openMemory)
describeEffects('SQLite', openSqlite)
