// How one input is answered: a model with tools, piped into the run as it streams.
import {
  stepCountIs,
  streamText,
  toUIMessageStream,
  type LanguageModel,
  type ModelMessage,
} from 'ai'
import type { AgentInput, Run } from 'heldline/agent'
import { toolsOf } from './tools.ts'

export interface Answering {
  readonly model: LanguageModel
  /** How long a tool takes for a look, in ms. */
  readonly paceMs: number
}

type Said = Awaited<ReturnType<Run['history']>>[number]

const SYSTEM = `You help a few people to plan a trip together. Use the tools; ask before you spend money, by calling the tool that does it: it asks for you.`

export async function answer(run: Run, how: Answering): Promise<string> {
  const path = await run.history()
  const result = streamText({
    model: how.model,
    system: SYSTEM,
    tools: toolsOf(run, how.paceMs),
    stopWhen: stepCountIs(8),
    messages: path.flatMap(toModel),
    // What people add while it works is heard between two steps.
    prepareStep: async ({ messages, stepNumber }) => {
      const added = stepNumber === 0 ? [] : await run.takeInputs()
      return { messages: [...messages, ...added.map(fromInput)] }
    },
    // Fires when somebody stops the run, from whatever device.
    abortSignal: run.signal,
  })
  const { parts } = await run.pipe(toUIMessageStream({ stream: result.stream }))
  // For the mail: what was said before a tool was called and what was said after it are two paragraphs.
  return parts.flatMap(({ type, text }) => (type === 'text' && text ? [text] : [])).join('\n\n')
}

function toModel({ role, parts }: Said): ModelMessage[] {
  const content = parts.map(({ type, text = '' }) => (type === 'text' ? text : '')).join('')
  if (content === '') return []
  return [{ role: role === 'user' ? 'user' : 'assistant', content }]
}

function fromInput({ text }: AgentInput): ModelMessage {
  return { role: 'user', content: text }
}
