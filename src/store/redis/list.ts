import type { SessionId } from '../../protocol/ids.ts'
import type { ListedSession, ListPage, ListQuery } from '../../core/store.ts'
import { BUCKETS, indexKey } from './keys.ts'
import type { Looker } from './looker.ts'
import { readRecords } from './records.ts'
import { SCRIPTS } from './scripts.ts'

/** Buckets looked at in one go: the first go is small, for where sessions are many. */
const FIRST_BUCKETS = 16
const MAX_BUCKETS = 256

/** Walks the buckets; within one, ids in order. The cursor is `<bucket>:<last id>`. */
export async function listSessions(looker: Looker, query: ListQuery): Promise<ListPage> {
  const start = parseCursor(query.cursor)
  const found: SessionId[] = []
  let { bucket, after } = start
  let cursor: string | null = null
  for (
    let width = FIRST_BUCKETS;
    bucket < BUCKETS && cursor === null;
    width = Math.min(width * 4, MAX_BUCKETS)
  ) {
    const left = query.limit - found.length
    const pages = await lookInto(looker, query.prefix, { bucket, after, width, limit: left })
    for (const ids of pages) {
      const taken = ids.slice(0, query.limit - found.length)
      found.push(...taken)
      if (found.length >= query.limit) {
        cursor = `${bucket}:${taken.at(-1) ?? after}`
        break
      }
      bucket++
      after = ''
    }
  }
  return { sessions: await listed(looker, found, query.fields), cursor }
}

interface Look {
  readonly bucket: number
  readonly after: string
  readonly width: number
  readonly limit: number
}

async function lookInto(
  { clustered, look }: Looker,
  prefix: string,
  { bucket, after, width, limit }: Look,
): Promise<SessionId[][]> {
  const count = Math.min(width, BUCKETS - bucket)
  const keys = Array.from({ length: count }, (_, index) => indexKey(bucket + index))
  // Ids are ASCII, so anything that begins with the prefix sorts below this.
  const end = prefix === '' ? '+' : `[${prefix}\u00ff`
  const begin = prefix === '' ? '-' : `[${prefix}`
  const first = after === '' ? begin : `(${after}`
  if (!clustered) {
    // Only ids of sessions were put into the index.
    return (await look(SCRIPTS.list, keys, [first, begin, end, limit])) as SessionId[][]
  }
  const pages = keys.map(async (key, index) => {
    const from = index === 0 ? first : begin
    const [ids] = (await look(SCRIPTS.list, [key], [from, begin, end, limit])) as SessionId[][]
    return ids ?? []
  })
  return Promise.all(pages)
}

async function listed(
  looker: Looker,
  ids: readonly SessionId[],
  fields: readonly string[],
): Promise<ListedSession[]> {
  const records = await readRecords(looker, ids, fields)
  return records.flatMap((record, index) =>
    // Gone since it was found. The index is of this array.
    record === null ? [] : [{ session: ids[index] as SessionId, ...record }],
  )
}

/** A cursor that is not one of ours begins anew. */
function parseCursor(cursor: string | null): { bucket: number; after: string } {
  const [, bucket, after] = /^(\d{1,4}):(.*)$/.exec(cursor ?? '') ?? []
  return { bucket: Number(bucket ?? 0), after: after ?? '' }
}
