import type { Epoch } from '../protocol/ids.ts'
import type { CommitResult, ProducerClaim } from '../core/store.ts'

/** What is remembered of a producer: its epoch, its last seq, and its last 16 commits, oldest first. */
export interface Producer {
  readonly epoch: number
  readonly last: number
  readonly commits: readonly ProducerCommit[]
}

interface ProducerCommit {
  readonly seq: number
  readonly count: number
  /** The serial of its first event. */
  readonly first: number
}

const REMEMBERED_COMMITS = 16

/** The refusal of a claim, or `null` when its seqs are next. */
export function refuseClaim(
  known: Producer | undefined,
  claim: ProducerClaim,
  epoch: Epoch,
): CommitResult | null {
  if (known === undefined || claim.epoch > known.epoch) return null
  if (claim.epoch < known.epoch) return { outcome: 'fenced', epoch: known.epoch }
  if (claim.seq > known.last + 1) return { outcome: 'gap', expected: known.last + 1 }
  if (claim.seq === known.last + 1) return null
  const count = Math.min(claim.count, known.last - claim.seq + 1)
  const serials = Array.from({ length: count }, (_, index) => serialOf(known, claim.seq + index))
  return { outcome: 'replayed', epoch, count, serials }
}

/** What is remembered after a claim was accepted with events from `first` on. */
export function acceptClaim(
  known: Producer | undefined,
  claim: ProducerClaim,
  first: number,
): Producer {
  const earlier = known?.epoch === claim.epoch ? known.commits.slice(1 - REMEMBERED_COMMITS) : []
  return {
    epoch: claim.epoch,
    last: claim.seq + claim.count - 1,
    commits: [...earlier, { seq: claim.seq, count: claim.count, first }],
  }
}

function serialOf(producer: Producer, seq: number): number | null {
  const commit = producer.commits.find((c) => c.seq <= seq && seq < c.seq + c.count)
  return commit === undefined ? null : commit.first + (seq - commit.seq)
}
