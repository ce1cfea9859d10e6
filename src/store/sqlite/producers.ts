import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CommitResult, ProducerClaim } from '../../core/store.ts'
import { acceptClaim, refuseClaim, type Producer } from '../producer.ts'
import { numberOf, textOf } from './columns.ts'
import type { Session } from './sessions.ts'

/** How many producers of one session the writer keeps in memory. */
const MAX_CACHED = 64

/** The producers of sessions as rows, those that were used last in memory beside their session. */
export class ProducerRows {
  readonly #select: StatementSync
  readonly #upsert: StatementSync

  constructor(db: DatabaseSync) {
    this.#select = db.prepare('SELECT epoch, last, commits FROM producers WHERE sid = ? AND id = ?')
    this.#upsert = db.prepare(`
      INSERT INTO producers (sid, id, epoch, last, commits) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (sid, id) DO UPDATE
      SET epoch = excluded.epoch, last = excluded.last, commits = excluded.commits`)
  }

  refuse(session: Session, claim: ProducerClaim): CommitResult | null {
    return refuseClaim(this.#find(session, claim.id), claim, session.epoch)
  }

  accept(session: Session, claim: ProducerClaim, first: number): void {
    const producer = acceptClaim(this.#find(session, claim.id), claim, first)
    const commits = producer.commits.map((c) => `${c.seq} ${c.count} ${c.first}`).join(',')
    this.#upsert.run(session.sid, claim.id, producer.epoch, producer.last, commits)
    session.producers.set(claim.id, producer)
  }

  #find(session: Session, id: string): Producer | undefined {
    if (session.producers.has(id)) return session.producers.get(id)
    const row = this.#select.get(session.sid, id)
    const producer = row && {
      epoch: numberOf(row, 'epoch'),
      last: numberOf(row, 'last'),
      commits: parseCommits(textOf(row, 'commits')),
    }
    if (session.producers.size >= MAX_CACHED) session.producers.clear()
    session.producers.set(id, producer)
    return producer
  }
}

function parseCommits(text: string): Producer['commits'] {
  return text.split(',').map((commit) => {
    const [seq = 0, count = 0, first = 0] = commit.split(' ').map(Number)
    return { seq, count, first }
  })
}
