import type { Message } from '../protocol/fold/message.ts'

const MAX_MESSAGES = 40

export function textOf(message: Message): string {
  return message.parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text ?? '')
    .join('\n')
}

/** The messages from the root to one, by their parents: what a model is to know. */
export function pathTo(message: Message, messages: readonly Message[]): readonly Message[] {
  const byId = new Map(messages.map((one) => [one.id, one]))
  const path: Message[] = []
  for (let one: Message | undefined = message; one !== undefined && path.length < MAX_MESSAGES;) {
    path.unshift(one)
    one = one.parent === null ? undefined : byId.get(one.parent)
  }
  return path
}
