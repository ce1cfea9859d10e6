import { isOver, type Run } from '../fold/fold-run.ts'
import type { Message, MessageStatus } from '../fold/message.ts'

/** A run's answer is over when the run is, whatever its messages say before. The same object, as long as nothing has changed. */
export function ended(message: Message, run: Run | undefined): Message {
  const status = statusOf(run, message)
  return status === message.status ? message : { ...message, status }
}

function statusOf(run: Run | undefined, { status }: Message): MessageStatus {
  if (run === undefined) return status
  if (!isOver(run.status)) return 'open'
  if (run.status === 'cancelled') return 'interrupted'
  if (run.status !== 'finished') return 'failed'
  return status === 'interrupted' || status === 'failed' ? status : 'completed'
}
