import type { Session } from '../../client/session.ts'
import type { isOver } from '../../protocol/fold/fold-run.ts'
import type { AnswerStream } from './answer-stream.ts'

/**
 * Stops the runs that live, or, where none does, what was asked for.
 * @param answers the streams of this page, with their chats
 * @throws ClientError the refusal; `disconnected` where nobody could be told
 */
export async function stop(
  session: Session,
  chatId: string,
  answers: ReadonlyMap<AnswerStream, string>,
  over: typeof isOver,
): Promise<void> {
  const reason = 'stopped'
  const live = session.runs.filter(({ status }) => !over(status))
  await Promise.all(live.map(({ id: run }) => session.cancel({ run, reason })))
  if (live.length > 0) return
  for (const [answer, chat] of answers) {
    const { input } = answer.target
    if (chat !== chatId || input === undefined) continue
    const isHere = session.outbox.some(({ id }) => id === input) && session.discard(input)
    if (!isHere) await session.cancel({ input, reason })
    else answer.close()
  }
}
