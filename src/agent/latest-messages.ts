import type { Message } from '../protocol/fold/message.ts'
import { AgentError } from './agent-error.ts'
import type { Parent } from './run-branch.ts'
import type { SessionApi } from './session-api.ts'

const PAGE = 100

/** Which messages: all of them, those of a branch, or those up to a message. [P-16.4] */
export type Path = { readonly branch?: 'latest'; readonly to?: string }

/** The latest messages of a session, or of a path of it, in the order in which they were started, or stand on it. [P-9.6] */
export async function latestMessages(
  api: SessionApi,
  limit: number,
  signal?: AbortSignal,
  path: Path = {},
): Promise<readonly Message[]> {
  let found: readonly Message[] = []
  let before: string | undefined
  while (found.length < limit) {
    // What is the latest may change between two pages.
    const last = found.at(-1)?.id
    const place = path.branch !== undefined && last !== undefined ? { to: last } : path
    const query = { limit: Math.min(PAGE, limit - found.length), before, ...place }
    const answer = await api.json({ path: '/messages', query, expects: 'messages', signal })
    // The shape is the contract's. [P-9.6]
    const messages = answer['messages'] as readonly Message[]
    const known = new Set(found.map(({ id }) => id))
    found = [...messages.filter(({ id }) => !known.has(id)), ...found]
    before = messages[0]?.id
    if (answer['more'] !== true || before === undefined) break
  }
  return found
}

/** The latest of what is to be known to whoever answers a message: the path to it. @param answers `undefined`: the latest message; `null`: none */
export async function historyOf(
  api: SessionApi,
  answers: Parent,
  limit: number,
  signal: AbortSignal,
): Promise<readonly Message[]> {
  if (answers === null) return []
  const path = answers === undefined ? ({ branch: 'latest' } as const) : { to: answers }
  try {
    return await latestMessages(api, limit, signal, path)
  } catch (error) {
    // Nobody looks whether a parent is there.
    if (error instanceof AgentError && error.code === 'message_not_found') return []
    throw error
  }
}
