// A graph of LangGraph that stops to ask a person before it pays, and goes on with the answer, whoever gives it and from whatever device.
//
//   HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret node examples/agents/langgraph.ts chat-1
import { AIMessageChunk, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { FakeStreamingChatModel } from '@langchain/core/utils/testing'
import {
  Command,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  StateGraph,
} from '@langchain/langgraph'
import { createAgent, type Run } from 'heldline/agent'

const { HELDLINE_URL = 'http://127.0.0.1:4400', HELDLINE_KEY = '' } = process.env
const [name = 'chat-1'] = process.argv.slice(2)

const says = (...words: string[]): FakeStreamingChatModel =>
  new FakeStreamingChatModel({
    sleep: 10,
    chunks: words.map((content) => new AIMessageChunk({ content })),
  })

const graph = new StateGraph(MessagesAnnotation)
  .addNode('offer', async ({ messages }) => ({
    messages: [await says('Two pots ', 'of tea ', 'are 5 €.').invoke(messages)],
  }))
  .addNode('pay', () => {
    const agreed: unknown = interrupt('Shall I pay 5 €?')
    const receipt = new ToolMessage({ tool_call_id: 'pay-1', name: 'pay', content: '{"paid":5}' })
    return { messages: agreed === true ? [receipt] : [] }
  })
  .addNode('thank', async ({ messages }) => ({
    messages: [await says('Done: ', 'enjoy ', 'your tea.').invoke(messages)],
  }))
  .addEdge('__start__', 'offer')
  .addEdge('offer', 'pay')
  .addEdge('pay', 'thank')
  .addEdge('thank', '__end__')
  .compile({ checkpointer: new MemorySaver() })

type Input = Parameters<typeof graph.stream>[0]

async function work(run: Run): Promise<string> {
  const config = {
    streamMode: ['messages', 'updates', 'checkpoints'] as (
      | 'messages'
      | 'updates'
      | 'checkpoints'
    )[],
    configurable: { thread_id: run.id },
    signal: run.signal,
  }
  let next: Input = {
    messages: [new HumanMessage('Tea, please.')],
  }
  for (;;) {
    const { text, interrupts } = await run.pipe(await graph.stream(next, config))
    const [question] = interrupts
    if (question === undefined) return text
    const resume = await run.ask({
      question: `${run.id}.${question.id}`.slice(0, 128),
      prompt: String(question.value),
      schema: { type: 'boolean' },
    })
    next = new Command({ resume }) as Input
  }
}

await using agent = createAgent({ url: HELDLINE_URL, apiKey: HELDLINE_KEY })
const session = agent.session(name)
await session.open()
console.log(JSON.stringify(await session.run({ agent: 'tea-house' }, work)))
