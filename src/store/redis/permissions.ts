import { Cluster } from 'ioredis'
import { HeldlineError } from '../../protocol/errors.ts'
import { isPassing, Refusal } from './failures.ts'
import { prefixOf, probeChannel } from './keys.ts'
import type { Link } from './link.ts'
import { SCRIPTS } from './scripts.ts'

const KEY = `${prefixOf(0)}permitted`

/**
 * What the scripts run, with arguments by which Redis knows the key. One that is refused in the middle of a script ends it there, and leaves the commits of
 * the batch before it written and unanswered: so it is asked for all of them before anything is served.
 */
export const OF_SCRIPTS: readonly string[] = [
  'TIME',
  `EXISTS ${KEY}`,
  `UNLINK ${KEY}`,
  `GET ${KEY}`,
  `SET ${KEY} value PX 1`,
  `PEXPIRE ${KEY} 1`,
  `PEXPIREAT ${KEY} 1`,
  `HDEL ${KEY} field`,
  `HEXISTS ${KEY} field`,
  `HGET ${KEY} field`,
  `HKEYS ${KEY}`,
  `HMGET ${KEY} field`,
  `HSET ${KEY} field value`,
  `XADD ${KEY} 1-0 field value`,
  `XRANGE ${KEY} - +`,
  `XTRIM ${KEY} MINID 1-0`,
  `ZADD ${KEY} 0 member`,
  `ZRANGE ${KEY} 0 0`,
  `ZREM ${KEY} member`,
]

/** What goes without a script: without one of these nothing is torn, and nothing works either. */
const OF_LINKS: readonly string[] = ['PING', `EVALSHA ${'0'.repeat(40)} 0`]

/** The commands that the user of a link may not run on some primary: their names, sorted. A server that does not answer forbids nothing. */
export async function forbidden(link: Link): Promise<string[]> {
  const { text } = SCRIPTS.forbidden
  const replies = await link.each(['eval', text, 0, ...OF_SCRIPTS, ...OF_LINKS])
  const names = replies.flatMap((reply) => {
    if ('value' in reply) return reply.value as string[]
    const { failure } = reply
    return failure instanceof Refusal && failure.code === 'NOPERM' ? ['EVAL'] : []
  })
  return [...new Set(names.map((command) => command.split(' ', 1)[0] as string))].toSorted()
}

/** What the operator is told of commands that are forbidden. */
export const mayNot = (names: readonly string[]): string =>
  `its user may not run ${names.join(', ')} on hl:*: give it the keys ~hl:* and ${names.map((name) => `+${name.toLowerCase()}`).join(' ')}`

/**
 * @throws HeldlineError `store_unavailable`, with what the user lacks
 */
export async function assertPermitted(link: Link): Promise<void> {
  const names = await forbidden(link)
  if (names.length > 0) {
    throw new HeldlineError('store_unavailable', `unable to use Redis; ${mayNot(names)}`)
  }
  await assertPublishes(link)
}

/** Redis gives a new user no channels unless told to: every commit would do without its wake-up, and readers on other nodes be late. */
async function assertPublishes(link: Link): Promise<void> {
  const publish = link.client instanceof Cluster ? 'spublish' : 'publish'
  const reply = await link.one([publish, probeChannel(0, 'start'), ''])
  if (!('failure' in reply) || !(reply.failure instanceof Refusal)) return
  if (isPassing(reply.failure)) return
  throw new HeldlineError(
    'store_unavailable',
    `unable to use Redis; its user may not publish to hl:*: give it the channels &hl:* and the command (${reply.failure.code})`,
    { cause: reply.failure },
  )
}
