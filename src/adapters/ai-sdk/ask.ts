import type { UIMessage } from 'ai'
import type { Session } from '../../client/session.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { partsToSay } from '../../protocol/formats/ui-units.ts'
import type { Part } from '../../protocol/messages.ts'
import type { Target } from './answer-stream.ts'
import type { View } from './plain.ts'

/** What is asked for with a list of messages. */
export interface Ask {
  /** What answers it. */
  readonly target: Target
  /**
   * @param more what the agent may want to know beside it
   * @param mode how words are sent
   */
  readonly say: (session: Session, more: WithData, mode: () => Mode) => Promise<unknown>
}

type Mode = 'queue' | 'steer'

/** An agent that is told nothing finds no `data`. */
export interface WithData {
  readonly data?: Readonly<Record<string, unknown>>
}

export interface Sent {
  readonly trigger: 'submit-message' | 'regenerate-message'
  readonly messageId: string | undefined
  readonly messages: readonly UIMessage[]
}

/** What the chat calls a message that was said in the place of another one, by the other's id. */
export type Names = Map<string, string>

/** What is asked for, where it is about something before. See `ask-again.ts` */
export interface About {
  readonly last: UIMessage
  /** The last message, where the session has it. */
  readonly known: Message | undefined
  /** What it follows in the chat. */
  readonly before: Message | undefined
  readonly parts: Part[]
}

/**
 * What a person says that is new, after what was said last.
 * @throws TypeError where there is no message to send
 */
export function askOf(
  { trigger, messageId, messages }: Sent,
  view: View,
  names: Names,
): Ask | About {
  const last = messages.at(-1)
  if (last === undefined) throw new TypeError('no message')
  const all = [...view.messages.values()]
  const find = (shown?: UIMessage): Message | undefined =>
    shown && view.messages.get(names.get(shown.id) ?? shown.id)
  const known = find(last)
  const shown = find(messages.at(-2))
  const before = shown && lastOf(shown, all)
  const parts = partsToSay(last.parts)
  const isAbout = known && (trigger === 'regenerate-message' || messageId === last.id)
  const isNext = before === undefined || before === all.at(-1)
  const isNew = last.role !== 'assistant' && !isAbout && isNext
  return isNew ? promptOf(last.id, parts) : { last, known, before, parts }
}

/** @param parent the message that it follows; `undefined`: the latest */
export function promptOf(id: string, parts: Part[], parent?: string | null): Ask {
  return {
    target: { input: id },
    say: (session, more, mode) =>
      session.prompt(parts, {
        id,
        mode: mode(),
        ...(parent !== undefined && { parent }),
        ...more,
      }),
  }
}

/** A run may have several messages, where the chat has one. */
export function lastOf(one: Message, all: readonly Message[]): Message {
  return all.findLast(({ run }) => run !== undefined && run === one.run) ?? one
}
