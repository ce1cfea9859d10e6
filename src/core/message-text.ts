import type { Message } from '../protocol/fold/message.ts'

/** A message object never changes, so its text is made once, however many read it, and goes with it. */
const texts = new WeakMap<Message, string>()

/** The message as JSON, as it is stored and as it travels. */
export function messageText(message: Message): string {
  return texts.get(message) ?? remember(message, JSON.stringify(message))
}

/** A message that was stored as `messageText`: its text is at hand already. */
export function parseMessageText(text: string): Message {
  const message = JSON.parse(text) as Message
  remember(message, text)
  return message
}

function remember(message: Message, text: string): string {
  texts.set(message, text)
  return text
}
