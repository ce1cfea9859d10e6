import {
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
  type UIMessage,
} from 'ai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Run } from '../../../src/agent/index.ts'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { CALLS, ASKS, GOES_ON, SHOWN } from '../../support/tool-chunks.ts'
import { until } from '../../support/until.ts'
import { FACES } from './faces.ts'
import { apiOf, Chat, serveSession, textOf, type Api, type Serving } from './kit.ts'

let server: LocalServer
let api: Api
let sessions = 0
const serving: Serving[] = []

beforeAll(async () => {
  server = await startLocalServer()
  api = apiOf(server.url, server.key)
})
afterEach(async () => {
  await Promise.all(serving.splice(0).map((one) => one.stop()))
})
afterAll(() => server?.close())

describe.each(FACES)(
  'people and tools, with the unmodified $name [P-18.3] [P-18.4]',
  { timeout: 60_000 },
  (face) => {
    const open = async (
      act: (run: Run, turn: number) => unknown,
      automatic: typeof lastAssistantMessageIsCompleteWithToolCalls,
    ) => {
      const session = `tools-${++sessions}`
      serving.push(await serveSession(server.url, server.key, session, act))
      const chat = new Chat(session, face.transport(server.url, server.key), [], automatic)
      void chat.sendMessage({ text: 'Book' })
      await until(
        'it calls',
        () => chat.messages[1]?.parts.at(-1)?.type === 'tool-book' && chat.status === 'ready',
        {
          instead: () => [chat.status, chat.messages, chat.errors.map(String)],
        },
      )
      return { session, chat }
    }
    const loaded = async (session: string): Promise<UIMessage[]> => {
      const { messages } = await api.ask('GET', `/compat/ai-sdk/chat/${session}/messages`)
      return messages as UIMessage[]
    }
    const goesOn = async (chat: Chat): Promise<void> => {
      await until('it goes on', () => chat.text === 'Seat 7.' && chat.status === 'ready', {
        instead: () => [chat.status, chat.messages, chat.errors.map(String)],
      })
      expect(chat.messages).toHaveLength(2)
      expect(chat.messages[1]?.parts).toMatchObject(SHOWN)
      expect(chat.errors).toEqual([])
    }
    const runsOf = async (session: string): Promise<readonly unknown[]> => {
      const { runs } = await api.ask('GET', `/v1/sessions/${session}/runs`)
      return runs as unknown[]
    }

    test('an agent that asks whether it may go on goes on with what a person says, in the same answer', async () => {
      let told: unknown
      const { session, chat } = await open(async (run) => {
        await run.pipe(ASKS)
        told = await run.ask({ prompt: 'May I?', data: { approvalId: 'a1' } })
        await run.pipe(GOES_ON)
      }, lastAssistantMessageIsCompleteWithApprovalResponses)
      // Whoever comes now is ready, too.
      const other = new Chat(session, face.transport(server.url, server.key), await loaded(session))
      await other.resumeStream()
      expect(other.status).toBe('ready')
      await chat.addToolApprovalResponse({ id: 'a1', approved: true, reason: 'gladly' })
      await goesOn(chat)
      expect(told).toEqual({ approved: true, reason: 'gladly' })
      expect((await loaded(session)).map(textOf)).toEqual(['Book', 'Seat 7.'])
      expect(await runsOf(session)).toHaveLength(1)
    })

    test('an agent whose run was over is given what a tool of the page gave, and goes on in a run of its own', async () => {
      const given: unknown[] = []
      const { session, chat } = await open(async (run, turn) => {
        const { events } = await api.ask('GET', `/v1/sessions/tools-${sessions}/events?after=0`)
        const inputs = (events as { type: string; data: { data?: unknown } }[]).filter(
          ({ type }) => type === 'input.received',
        )
        given.push(inputs.at(-1)?.data.data)
        await run.pipe(turn === 1 ? CALLS : GOES_ON)
      }, lastAssistantMessageIsCompleteWithToolCalls)
      await chat.addToolOutput({ tool: 'book', toolCallId: 'c1', output: { seat: 7 } })
      await goesOn(chat)
      expect(given).toEqual([undefined, { results: [{ toolCallId: 'c1', output: { seat: 7 } }] }])
      // After a reload it is one answer, too, and what is sent again starts nothing.
      const path = await loaded(session)
      expect(path.map(textOf)).toEqual(['Book', 'Seat 7.'])
      expect(path[1]?.parts).toMatchObject(SHOWN)
      expect(path[1]?.id).toBe(chat.messages[1]?.id)
      expect(await runsOf(session)).toHaveLength(2)
    })
  },
)
