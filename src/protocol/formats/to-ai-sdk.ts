import type { Message } from '../fold/message.ts'
import type { UiMessage } from './ui-message.ts'
import { moreWords } from './ui-more-units.ts'
import { Teller, type TellerOptions } from './ui-teller.ts'
import { uiMessageOf } from './ui-units.ts'

export type { UiMessage, UiMessageChunk } from './ui-message.ts'

/** The message as `useChat` keeps it: the same that the AI SDK makes of the chunks that it came from. */
export function toUiMessage(message: Message): UiMessage {
  return uiMessageOf(message, moreWords)
}

/** A teller that knows every part, to a reader that knows `reset-step` and nothing of the message, unless it is told otherwise. */
export class UiMessageTeller extends Teller {
  constructor({ resetStep = true, from }: Partial<TellerOptions> = {}) {
    super(moreWords, { resetStep, from })
  }

  override tell(
    message: Message,
    errorText = 'The answer has failed.',
  ): ReturnType<Teller['tell']> {
    return super.tell(message, errorText)
  }
}
