// An agent on the AI SDK that answers whatever people send to a session, for as long as it runs. Start as many as you like: each input is answered once.
//
//   HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret node examples/agents/ai-sdk.ts chat-1
//
// With OPENAI_API_KEY it asks a model; without, a scripted one that is built in.
import { createOpenAI } from '@ai-sdk/openai'
import { stepCountIs, streamText, toUIMessageStream, tool } from 'ai'
import { createAgent, type Run } from 'heldline/agent'
import * as z from 'zod'
import { scriptedModel } from './scripted-model.ts'

const { HELDLINE_URL = 'http://127.0.0.1:4400', HELDLINE_KEY = '', OPENAI_API_KEY } = process.env
const [name = 'chat-1'] = process.argv.slice(2)

const model =
  OPENAI_API_KEY === undefined
    ? scriptedModel()
    : createOpenAI({ apiKey: OPENAI_API_KEY })('gpt-5-mini')

const tools = {
  clock: tool({
    description: 'The time of day',
    inputSchema: z.object({}),
    execute: () => new Date().toISOString(),
  }),
}

async function answer(run: Run): Promise<string> {
  // What was said on the way to what is asked; answers and questions that were put otherwise are not among it.
  const history = await run.history(50)
  const result = streamText({
    model,
    tools,
    stopWhen: stepCountIs(5),
    messages: history.map(({ role, parts }) => ({
      role: role === 'user' ? ('user' as const) : ('assistant' as const),
      content: parts.map(({ type, text = '' }) => (type === 'text' ? text : '')).join(''),
    })),
    // Fires when somebody cancels the run, from whatever device.
    abortSignal: run.signal,
  })
  const { text } = await run.pipe(toUIMessageStream({ stream: result.stream }))
  return text
}

await using agent = createAgent({ url: HELDLINE_URL, apiKey: HELDLINE_KEY })
const session = agent.session(name)
await session.open()
console.log(`answering in ${name}`)
await session.serve({ agent: 'assistant' }, answer)
