import * as z from 'zod/mini'

/** What the AI SDK's own transports send, as far as it matters here: they may send more. [P-18] */

const text = z.string()

/** A message of theirs. What the last one says is looked at on its own; the others only say where it belongs. */
export const uiMessage = z.looseObject({
  id: text,
  role: z.enum(['system', 'user', 'assistant']),
  parts: z.array(z.looseObject({ type: text })),
  metadata: z.optional(z.unknown()),
})

export const CHAT_TRIGGERS = ['submit-message', 'regenerate-message'] as const

/** The body of the POST. Whatever else it holds is the application's, and goes to the agent. */
export const chatBody = z.looseObject({
  /** The session. */
  id: text,
  messages: z.array(uiMessage),
  trigger: z.optional(z.enum(CHAT_TRIGGERS)),
  messageId: z.optional(text),
})

const requestId = text.check(z.minLength(1), z.maxLength(128))
const ofApplication = {
  headers: z.record(z.string(), z.string()),
  body: z.record(z.string(), z.unknown()),
  metadata: z.optional(z.unknown()),
}

/** The frames that `WebSocketChatTransport` sends. */
export const chatFrame = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('send'),
    requestId,
    id: text,
    messages: z.array(uiMessage),
    trigger: z.enum(CHAT_TRIGGERS),
    messageId: z.optional(text),
    ...ofApplication,
  }),
  z.looseObject({
    type: z.literal('resume'),
    requestId,
    id: text,
    /** Replays are whole: whatever it says, they begin at 0. */
    lastSequence: z.optional(z.number().check(z.int(), z.minimum(0))),
    ...ofApplication,
  }),
  z.looseObject({
    type: z.literal('abort'),
    requestId,
    /** The stock client never says it: it cannot tell "stop" from "leave". */
    intent: z.optional(z.enum(['cancel', 'detach'])),
  }),
])

export const stopAnswer = z.object({
  /** The runs that were cancelled, and the inputs that were taken back before they had one. */
  runs: z.array(text),
  inputs: z.array(text),
})

export const chatMessagesAnswer = z.object({
  messages: z.array(z.looseObject({ id: text, role: text, parts: z.array(z.looseObject({})) })),
  /** Whether there are earlier ones. */
  more: z.boolean(),
})

export type UiMessageIn = z.infer<typeof uiMessage>
export type ChatBody = z.infer<typeof chatBody>
export type ChatFrame = z.infer<typeof chatFrame>

/** What a client asks for, whichever way it came. */
export interface ChatRequest {
  readonly trigger: (typeof CHAT_TRIGGERS)[number]
  readonly messages: readonly UiMessageIn[]
  /** The message that is replaced, or answered anew. */
  readonly messageId?: string
  /** Whatever else the application sends along: the agent's to read. */
  readonly extra: Readonly<Record<string, unknown>>
}
