import type { SessionId } from '../../protocol/ids.ts'
import type { LogHead } from '../../core/store.ts'
import { decodeLogHead } from './encode.ts'
import { bucketOf, keysOf } from './keys.ts'
import type { Looker } from './looker.ts'
import { SCRIPTS } from './scripts.ts'

/** Records in one call: Redis serves nobody else meanwhile. */
const PAGE = 100

export interface Rec {
  readonly head: LogHead
  readonly fields: Map<string, string | null>
}

/** The heads and some fields of sessions, `null` for each that does not exist, in the order asked. */
export async function readRecords(
  { clustered, look }: Looker,
  sessions: readonly SessionId[],
  names: readonly string[],
): Promise<(Rec | null)[]> {
  const records: (Rec | null)[] = sessions.map(() => null)
  const ask = async (group: readonly number[]): Promise<void> => {
    const keys = group.flatMap((index) => {
      // The index is of this array.
      const { record, log } = keysOf(sessions[index] as SessionId)
      return [record, log]
    })
    const answers = (await look(SCRIPTS.records, keys, names)) as (
      | readonly (string | null)[]
      | null
    )[]
    for (const [position, index] of group.entries()) {
      const answer = answers[position] ?? null
      records[index] = answer === null ? null : decode(answer, names)
    }
  }
  await Promise.all(groups(sessions, clustered).map(ask))
  return records
}

function decode(answer: readonly (string | null)[], names: readonly string[]): Rec {
  const [head, floor, ...values] = answer as [string, string | null, ...(string | null)[]]
  return {
    head: decodeLogHead(head, floor),
    fields: new Map(names.map((name, index) => [name, values[index] ?? null])),
  }
}

/** Indexes of sessions that one call may ask for together. */
function groups(sessions: readonly SessionId[], clustered: boolean): number[][] {
  const open = new Map<number, number[]>()
  const all: number[][] = []
  for (const [index, session] of sessions.entries()) {
    const bucket = clustered ? bucketOf(session) : 0
    let group = open.get(bucket)
    if (group === undefined || group.length >= PAGE) {
      group = []
      open.set(bucket, group)
      all.push(group)
    }
    group.push(index)
  }
  return all
}
