import { describeDeliveries } from '../contract/deliveries.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'

describeDeliveries('memory', openMemory)
describeDeliveries('SQLite', openSqlite)
