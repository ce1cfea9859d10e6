import type { InputMode } from '../protocol/input-events.ts'
import type { Part } from '../protocol/messages.ts'
import { latestMessages } from './latest-messages.ts'
import type { SessionApi } from './session-api.ts'

/** What a person sent to the agent. */
export interface AgentInput {
  readonly id: string
  readonly mode: InputMode
  /** The message that says it to people too; `null` where there is none. */
  readonly message: string | null
  /** Where it names one: that of its message; without a message, the message that is to be answered, again or for the first time. */
  readonly parent?: string | null
  /** What that message says. */
  readonly parts: readonly Part[]
  /** All of its text. */
  readonly text: string
  readonly data: unknown
  /** The subject that sent it. */
  readonly by: string
}

/** As it is listed. */
export type ListedInput = Omit<AgentInput, 'parts' | 'text'> & { readonly run: string | null }

/** Those that wait, oldest first. [P-11.3] */
export async function waitingInputs(
  api: SessionApi,
  signal: AbortSignal,
): Promise<readonly ListedInput[]> {
  const answer = await api.json({ path: '/inputs', expects: 'inputs', signal })
  // The shape is the contract's.
  return answer['inputs'] as readonly ListedInput[]
}

/** As far back the message of an input that waits is looked for. */
const MAX_MESSAGES = 300

/** With what their messages say. */
export async function withText(
  api: SessionApi,
  inputs: readonly ListedInput[],
  signal: AbortSignal,
): Promise<readonly AgentInput[]> {
  const said = inputs.some(({ message }) => message !== null)
  const messages = said ? await latestMessages(api, MAX_MESSAGES, signal) : []
  return inputs.map(({ run: _run, ...input }) => {
    const parts = messages.find(({ id }) => id === input.message)?.parts ?? []
    const text = parts.map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('')
    return { ...input, parts, text }
  })
}
