import type { Session } from '../../client/session.ts'
import type { AnswerStream } from './answer-stream.ts'
import { lives, type Living } from './lives.ts'

/**
 * Stops the runs that live, or, where none does, what was asked for.
 * @param answers the streams of this page
 * @param asked the inputs that this page has asked for, with their chats
 * @throws ClientError the refusal; `disconnected` where nobody could be told
 */
export async function stop(
  session: Session,
  chatId: string,
  answers: ReadonlySet<AnswerStream>,
  asked: Map<string, string>,
  living: Living,
): Promise<void> {
  const reason = 'stopped'
  const { runs } = session
  const live = runs.filter((run) => lives(run, living))
  await Promise.all(live.map(({ id: run }) => session.cancel({ run, reason })))
  if (live.length > 0) return
  for (const [input, chat] of asked) {
    if (chat !== chatId) continue
    asked.delete(input)
    if (runs.some(({ trigger }) => trigger === input)) continue
    if (isUnsent(session, input)) {
      for (const answer of answers) if (answer.target.input === input) answer.close()
      session.discard(input)
    } else {
      await session.cancel({ input, reason })
    }
  }
}

/** Not even on its way. */
function isUnsent({ outbox }: Session, input: string): boolean {
  return outbox.some(({ id, state }) => id === input && state === 'pending')
}
