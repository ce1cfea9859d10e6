import { describePeople } from '../contract/people.ts'
import { describePeopleAway } from '../contract/people-away.ts'
import { type Nodes, QUICK } from '../contract/people-kit.ts'
import { startLocalServer } from '../support/local-server.ts'

async function onSqlite(env: Readonly<Record<string, string>> = {}): Promise<Nodes> {
  const server = await startLocalServer(env)
  return { nodes: [server], close: () => server.close() }
}

describePeople('SQLite', onSqlite)
describePeopleAway('SQLite', () => onSqlite(QUICK))
