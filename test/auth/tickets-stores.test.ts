import { openMemory, openSqlite } from '../contract/stores.ts'
import { describeTickets } from './tickets-contract.ts'

describeTickets('memory', openMemory)
describeTickets('SQLite', openSqlite)
