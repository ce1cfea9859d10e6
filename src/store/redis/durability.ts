import type { Durability } from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { Link, Reply } from './link.ts'

export interface Assessment {
  /** The best that every primary's settings keep, up to what was asked for. */
  readonly met: Durability
  /** What is in the way of what was asked for, and what endangers any of it: sentences for the operator. */
  readonly problems: readonly string[]
  /** By how much the clock of the primary that is furthest from this node's is ahead of it, at the least, in ms; below 0: behind. */
  readonly aheadMs: number
}

/** What one primary says of itself. */
interface Settings {
  readonly version: string
  readonly replica: boolean
  readonly appendOnly: boolean
  readonly fsync: string
  readonly evicts: string | null
  readonly minReplicas: number
  readonly replicas: number
  /** Its clock, in ms since 1970; `null`: it does not say. */
  readonly now: number | null
}

const ORDER: readonly Durability[] = ['memory', 'async', 'fsync', 'replicated']
const OLDEST = 7

/** Asks every primary for its settings, and compares them with what was declared. */
export async function assess(
  link: Link,
  wanted: Durability,
  replicas: number,
): Promise<Assessment> {
  const asked = Date.now()
  const [config, info] = await Promise.all([
    link.each([
      'config',
      'get',
      'appendonly',
      'appendfsync',
      'maxmemory-policy',
      'min-replicas-to-write',
    ]),
    link.each(['info']),
  ])
  const answered = Date.now()
  const primaries = info.map((reply, index) => settingsOf(reply, config[index]))
  const each = primaries.map((primary) => judge(primary, wanted, replicas))
  const met = each.reduce<Durability>((worst, { met }) => least(worst, met), wanted)
  const apart = primaries.map(({ now }) => outside(now ?? answered, asked, answered))
  const aheadMs = apart.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most), 0)
  return { met, problems: [...new Set(each.flatMap(({ problems }) => problems))], aheadMs }
}

/** How far a time is before a span, or after it: an answer that was long on its way says less, and nothing that is wrong. */
const outside = (time: number, from: number, to: number): number =>
  time < from ? time - from : Math.max(0, time - to)

function judge(
  primary: Settings,
  wanted: Durability,
  replicas: number,
): Omit<Assessment, 'aheadMs'> {
  const problems: string[] = []
  if (primary.replica) problems.push('it is a replica, and takes no writes; name its primary')
  if (primary.evicts !== null) {
    problems.push(
      `maxmemory-policy is ${primary.evicts}; sessions would vanish, so it must be noeviction`,
    )
  }
  const kept = !primary.appendOnly ? 'memory' : primary.fsync === 'always' ? 'fsync' : 'async'
  const replicated = primary.replicas >= replicas && primary.minReplicas >= 1
  const met =
    wanted === 'replicated' && replicated
      ? 'replicated'
      : least(kept, wanted === 'replicated' ? 'fsync' : wanted)
  if (wanted === 'replicated') {
    if (primary.minReplicas < 1)
      problems.push('min-replicas-to-write is 0; a primary that is cut off would go on')
    if (primary.replicas < replicas)
      problems.push(`${primary.replicas} of ${replicas} replicas are there`)
  } else if (met !== wanted) {
    problems.push(
      primary.appendOnly
        ? `appendfsync is ${primary.fsync}`
        : 'appendonly is no; a restart loses everything',
    )
  }
  if (primary.fsync === 'no' && primary.appendOnly)
    problems.push('appendfsync is no; the system decides what a power cut loses')
  return { met, problems }
}

const least = (a: Durability, b: Durability): Durability =>
  ORDER.indexOf(a) < ORDER.indexOf(b) ? a : b

/** `CONFIG` is often forbidden; then `INFO` says most of it, and what it does not say counts as the weaker. */
function settingsOf(info: Reply, config: Reply | undefined): Settings {
  if ('failure' in info) {
    throw new HeldlineError('store_unavailable', 'unable to check Redis; it does not answer INFO', {
      cause: info.failure,
    })
  }
  const said = new Map(
    String(info.value)
      .split(/\r?\n/)
      .map((line) => line.split(':', 2) as [string, string]),
  )
  const set = new Map<string, string>()
  if (config !== undefined && 'value' in config) {
    const pairs = config.value as string[]
    for (let i = 0; i + 1 < pairs.length; i += 2)
      set.set(pairs[i] as string, pairs[i + 1] as string)
  }
  const version = said.get('redis_version') ?? '0'
  if (Number.parseInt(version) < OLDEST) {
    throw new HeldlineError(
      'store_unavailable',
      `unable to use Redis ${version}; it must be ${OLDEST}.0 or newer`,
    )
  }
  const policy = set.get('maxmemory-policy') ?? said.get('maxmemory_policy') ?? 'unknown'
  return {
    version,
    replica: said.get('role') === 'slave',
    appendOnly:
      (set.get('appendonly') ?? (said.get('aof_enabled') === '1' ? 'yes' : 'no')) === 'yes',
    fsync: set.get('appendfsync') ?? 'everysec',
    evicts: policy === 'noeviction' ? null : policy,
    minReplicas: Number(
      set.get('min-replicas-to-write') ?? (said.has('min_slaves_good_slaves') ? 1 : 0),
    ),
    replicas: Number(said.get('connected_slaves') ?? 0),
    now: Math.floor(Number(said.get('server_time_usec') ?? 0) / 1000) || null,
  }
}
