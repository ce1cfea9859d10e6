import type { SessionId } from '../../protocol/ids.ts'
import type { DueDeadline } from '../../core/store.ts'
import { BUCKETS, dueKey } from './keys.ts'
import type { Looker } from './looker.ts'
import { SCRIPTS } from './scripts.ts'

/** Buckets in one call, where one call may name several: Redis serves nobody else meanwhile. */
const BUCKETS_A_CALL = 256
/** Made once: they are asked for every second, on a node at rest, too. */
const DUE_KEYS = Array.from({ length: BUCKETS }, (_, bucket) => dueKey(bucket))
/** Calls under way at once on a Cluster, where each names one bucket. */
const CALLS_AT_ONCE = 128

/**
 * What is due in all buckets, oldest first. Each look begins with another bucket, so that where much more is due than is asked for,
 * no bucket waits for ever.
 */
export async function dueDeadlines(
  { clustered, look }: Looker,
  limit: number,
  from: number,
): Promise<{ due: DueDeadline[]; next: number }> {
  const width = clustered ? 1 : BUCKETS_A_CALL
  const keys = [...DUE_KEYS.slice(from), ...DUE_KEYS.slice(0, from)]
  const calls = Array.from({ length: BUCKETS / width }, (_, index) =>
    keys.slice(index * width, (index + 1) * width),
  )
  const due: DueDeadline[] = []
  while (calls.length > 0) {
    const answers = await Promise.all(
      calls.splice(0, CALLS_AT_ONCE).map((call) => look(SCRIPTS.due, call, [limit, limit * 2])),
    )
    for (const answer of answers) due.push(...decode(answer as string[]))
  }
  due.sort((a, b) => a.at - b.at)
  return { due: due.slice(0, limit), next: (from + BUCKETS_A_CALL) % BUCKETS }
}

function decode(pairs: readonly string[]): DueDeadline[] {
  const due: DueDeadline[] = []
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const member = pairs[i] as string
    // No session id holds a space; a deadline's name may.
    const space = member.indexOf(' ')
    due.push({
      session: member.slice(0, space) as SessionId,
      deadline: member.slice(space + 1),
      at: Number(pairs[i + 1]),
    })
  }
  return due
}
