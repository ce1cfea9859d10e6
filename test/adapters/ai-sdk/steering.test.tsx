// @vitest-environment jsdom
import { experimental_createSteering, stepCountIs, streamText, tool, toUIMessageStream } from 'ai'
import { MockLanguageModelV4 } from 'ai/test'
import { expect, test } from 'vitest'
import * as z from 'zod'
import type { Run } from '../../../src/agent/index.ts'
import { until } from '../../support/until.ts'
import { Gate, useHouse } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()
const [[, version, useChat]] = HOOKS

/** Calls a tool, and then says how often it was asked. */
function modelOf(prompts: string[]) {
  const usage = {
    inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 1, text: 1, reasoning: 0 },
  }
  return new MockLanguageModelV4({
    doStream: ({ prompt }) => {
      prompts.push(JSON.stringify(prompt))
      const first = prompts.length === 1
      const stream = new ReadableStream({
        start: (controller) => {
          controller.enqueue({ type: 'stream-start', warnings: [] })
          if (first) {
            controller.enqueue({
              type: 'tool-call',
              toolCallId: 'c1',
              toolName: 'look',
              input: '{}',
            })
          } else {
            controller.enqueue({ type: 'text-start', id: '0' })
            controller.enqueue({ type: 'text-delta', id: '0', delta: 'As you wish.' })
            controller.enqueue({ type: 'text-end', id: '0' })
          }
          const unified = first ? 'tool-calls' : 'stop'
          controller.enqueue({ type: 'finish', finishReason: { unified, raw: unified }, usage })
          controller.close()
        },
      })
      return Promise.resolve({ stream })
    },
  })
}

test('what a person says while an agent works steers the AI SDK at its next step, and is shown where it did [S3-10]', async () => {
  const prompts: string[] = []
  const gate = new Gate()
  const id = await house.newSession()
  house.agent(id, async (run: Run) => {
    const steering = experimental_createSteering()
    const tools = {
      look: tool({ inputSchema: z.object({}), execute: () => gate.opened.then(() => 'seen') }),
    }
    const result = streamText({
      model: modelOf(prompts),
      prompt: 'as asked',
      tools,
      stopWhen: stepCountIs(5),
      experimental_steering: steering,
    })
    const steer = async (): Promise<void> => {
      for await (const input of run.inputs()) {
        void steering.steer(input.text, { id: input.id })
        gate.open()
      }
    }
    void steer()
    await run.pipe(toUIMessageStream({ stream: result.stream }))
  })
  const isSteer = (body: object | undefined) => body !== undefined && 'steer' in body
  const transport = house.transport({
    mode: ({ body }) => (isSteer(body) ? 'steer' : 'queue'),
    version,
  })
  const page = await openPage(useChat, id, transport)
  await page.is('ready')
  void page.now().sendMessage({ text: 'Look' })
  await until('it looks', () => page.now().messages[1]?.parts.at(-1)?.type === 'tool-look')
  void page.now().sendMessage({ text: 'Shorter, please' }, { body: { steer: true } })
  await until('it says', () => page.said()[1] === 'As you wish.', {
    instead: () => [page.now().messages, page.errors.map(String)],
  })
  await page.is('ready')
  expect(prompts[1]).toContain('Shorter, please')
  await page.shows('Look', 'As you wish.', 'Shorter, please')
  expect(page.now().messages[1]?.parts).toMatchObject([
    { type: 'step-start' },
    { type: 'tool-look', output: 'seen' },
    // Before the step that heard it: where the AI SDK has it.
    { type: 'steering-message', parts: [{ type: 'text', text: 'Shorter, please' }] },
    { type: 'step-start' },
    { type: 'text', text: 'As you wish.' },
  ])
  expect(page.errors).toEqual([])
  const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
  const { inputs } = await house.ask('GET', `/sessions/${id}/inputs`)
  expect(runs).toHaveLength(1)
  expect(inputs).toEqual([])
}, 60_000)
