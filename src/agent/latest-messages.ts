import type { Message } from '../protocol/fold/message.ts'
import type { SessionApi } from './session-api.ts'

const PAGE = 100

/** The latest messages of a session, in the order in which they were started. [P-9.6] */
export async function latestMessages(
  api: SessionApi,
  limit: number,
  signal?: AbortSignal,
): Promise<readonly Message[]> {
  const found = new Map<string, Message>()
  let before: string | undefined
  while (found.size < limit) {
    const query = { limit: Math.min(PAGE, limit - found.size), before }
    const answer = await api.json({ path: '/messages', query, signal })
    // The shape is the contract's. [P-9.6]
    const messages = answer['messages'] as readonly Message[]
    for (const message of messages) found.set(message.id, message)
    before = messages[0]?.id
    if (answer['more'] !== true || before === undefined) break
  }
  return [...found.values()].toSorted((a, b) => a.first - b.first)
}
