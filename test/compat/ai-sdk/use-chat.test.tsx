// @vitest-environment jsdom
import type { Chat as Chat7 } from '@ai-sdk/react'
import { Chat as Chat6 } from '@ai-sdk/react-v6'
import {
  DefaultChatTransport,
  WebSocketChatTransport,
  type ChatTransport,
  type UIMessage,
} from 'ai'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { DefaultChatTransport as DefaultChatTransport6 } from '../../../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/index.mjs'
import { TEXT, uiText, useHouse, WORDS } from '../../adapters/ai-sdk/house.ts'
import { HOOKS, openPage, type PageOptions } from '../../adapters/ai-sdk/page.tsx'
import { until } from '../../support/until.ts'
import { ticketFor } from './faces.ts'

const house = useHouse()
const [[, , useChat7], [, , useChat6]] = HOOKS

type Transport = ChatTransport<UIMessage>
type Page = Awaited<ReturnType<typeof openPage>>

const api = (): string => `${house.url}/compat/ai-sdk/chat`
const headers = async () => ({ authorization: `Bearer ${await house.token()}` })

// What jsdom has is one of Node's, which stumbles over the events of jsdom.
beforeAll(() => void vi.stubGlobal('WebSocket', WebSocket))
afterAll(() => void vi.unstubAllGlobals())

/** The hooks and the transports as they are published, without a line of ours. */
const WAYS = [
  {
    name: 'AI SDK 7 and its DefaultChatTransport',
    useChat: useChat7,
    transport: (): Transport => new DefaultChatTransport({ api: api(), headers }),
  },
  {
    name: 'AI SDK 7 and its WebSocketChatTransport',
    useChat: useChat7,
    transport: (): Transport =>
      new WebSocketChatTransport({
        url: `${house.url}/compat/ai-sdk/ws`,
        params: async () => ({ ticket: await ticketFor(house.server.url, await house.token()) }),
      }),
  },
  {
    name: 'AI SDK 6 and its DefaultChatTransport',
    useChat: useChat6,
    // Given a transport, the hook does not pass on that a resume is a replay; a chat does.
    Chat: Chat6 as unknown as typeof Chat7,
    // The hook is typed as that of 7 here, and takes what is its own.
    transport: () =>
      new DefaultChatTransport6({ api: `${api()}?version=6`, headers }) as unknown as Transport,
  },
] as const

describe.each(WAYS)(
  'useChat of $name, unmodified, in jsdom [P-18.4] [S4-09]',
  { timeout: 60_000 },
  ({ useChat, transport, ...own }) => {
    /** An agent that says a word whenever it is let, and looks something up after the twentieth. */
    const slowly = (id: string) => {
      const state = { allowed: 0, runs: 0 }
      house.agent(id, async (run) => {
        state.runs++
        await run.pipe(
          withTool(
            uiText((index) =>
              until('it may go on', () => index < state.allowed || run.signal.aborted),
            ),
          ),
        )
      })
      return state
    }
    const open = (id: string, options: PageOptions = {}): Promise<Page> =>
      openPage(useChat, id, transport(), { ...options, ...own })
    const loaded = async (id: string): Promise<UIMessage[]> => {
      const response = await fetch(`${api()}/${id}/messages`, { headers: await headers() })
      return ((await response.json()) as { readonly messages: UIMessage[] }).messages
    }
    const statusesOf = async (id: string) => {
      const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
      return (runs as readonly { readonly status: string }[]).map(({ status }) => status)
    }

    test('an answer arrives whole, once, over three cut connections and a restart of the server, and a second page has the same [R2] [R3]', async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const page = await open(id)
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      agent.allowed = 5
      await page.shows('Tell me', at(5))
      const other = await open(id, { messages: await loaded(id) })
      const both = [page, other]
      for (const [index, words] of [10, 25, 35].entries()) {
        agent.allowed = words
        for (const one of both) await one.shows('Tell me', at(words))
        house.proxy.cut(index === 1 ? 'end' : 'reset')
        for (const one of both) await one.is('error')
        await Promise.all(both.map(goOn))
      }
      await house.server.restart()
      for (const one of both) await one.is('error')
      agent.allowed = 40
      await Promise.all(both.map(goOn))
      for (const one of both) await one.shows('Tell me', at(40))
      agent.allowed = WORDS.length
      for (const one of both) {
        await one.shows('Tell me', TEXT)
        await one.is('ready')
        // What `fetch` and sockets say of a lost connection, and nothing else.
        expect(new Set(one.errors.map(({ name }) => name))).toEqual(new Set(['TypeError']))
      }
      const [mine, theirs] = both.map((one) => one.now().messages.at(-1))
      expect(mine).toEqual(theirs)
      expect(mine?.parts.filter(({ type }) => type === 'tool-look')).toMatchObject([
        { state: 'output-available', input: { at: 'sea' }, output: 'blue' },
      ])
      expect(agent.runs).toBe(1)
      expect(await statusesOf(id)).toEqual(['finished'])
    })

    test('leaving the page stops nothing, a new page in the middle goes on in a strict mode, and a stop stops [R4]', async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const page = await open(id)
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      agent.allowed = 10
      await page.shows('Tell me', at(10))
      await page.unmount()
      agent.allowed = 15
      const goesOn = async () => JSON.stringify(await loaded(id)).includes(at(15))
      await until('it goes on', goesOn)
      const again = await open(id, { messages: await loaded(id), strict: true })
      await again.is('streaming')
      agent.allowed = 30
      await again.shows('Tell me', at(30))
      expect(await statusesOf(id)).toEqual(['streaming'])
      const stopped = await fetch(`${api()}/${id}/stop`, {
        method: 'POST',
        headers: await headers(),
      })
      expect(stopped.status).toBe(200)
      await again.is('ready')
      expect(again.said()).toEqual(['Tell me', at(30)])
      expect(await statusesOf(id)).toEqual(['cancelled'])
      expect([again.errors, agent.runs]).toEqual([[], 1])
    })

    test('a resume shows the answer once: three at once, with nothing or a part of it on the page, after an earlier answer, and after an error that is no lost connection [R3]', async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      agent.allowed = WORDS.length
      const first = await open(id)
      await first.is('ready')
      await first.now().sendMessage({ text: 'First' })
      await first.shows('First', TEXT)
      const before = await open(id, { messages: await loaded(id) })
      await before.is('ready')
      agent.allowed = 10
      void first.now().sendMessage({ text: 'Second' })
      await first.shows('First', TEXT, 'Second', at(10))
      const part = await open(id, { messages: await loaded(id) })
      const nothing = await open(id, { more: { resume: false } })
      for (const page of [before, nothing])
        for (let times = 0; times < 3; times++) void page.now().resumeStream()
      let stumbles = true
      const onToolCall = (): void => {
        if (stumbles) throw new Error('the application stumbled')
      }
      const stumbling = await open(id, { messages: await loaded(id), more: { onToolCall } })
      for (const page of [before, part, nothing, stumbling]) await page.is('streaming')
      agent.allowed = 30
      await stumbling.is('error')
      stumbles = false
      await goOn(stumbling)
      agent.allowed = WORDS.length
      await before.shows('First', TEXT, TEXT)
      await nothing.shows(TEXT)
      for (const page of [first, part, stumbling]) await page.shows('First', TEXT, 'Second', TEXT)
      const all = [first, before, part, nothing, stumbling]
      for (const page of all) {
        await page.is('ready')
        expect(page.now().messages.at(-1)).toEqual(first.now().messages.at(-1))
      }
      expect(all.flatMap(({ errors }) => errors.map(String))).toEqual([
        'Error: the application stumbled',
      ])
      await before.now().resumeStream()
      await before.is('ready')
      await before.shows('First', TEXT, TEXT)
      expect(agent.runs).toBe(2)
    })
  },
)

const at = (words: number): string => WORDS.slice(0, words).join(' ')

/** The same text in one part, with a call of a tool in the middle of it. */
async function* withTool(chunks: AsyncIterable<object>): AsyncGenerator<object> {
  const call = { toolCallId: 'c1', toolName: 'look' }
  let words = 0
  for await (const chunk of chunks) {
    yield chunk
    if ('delta' in chunk && ++words === 20) {
      yield { type: 'tool-input-available', ...call, input: { at: 'sea' } }
      yield { type: 'tool-output-available', toolCallId: call.toolCallId, output: 'blue' }
    }
  }
}

/** The application's way back: again until it follows, since there may be nobody to resume from. */
async function goOn(page: Page): Promise<void> {
  await until('it goes on', () => {
    const { status } = page.now()
    if (status === 'error') void page.now().resumeStream()
    return status === 'streaming'
  })
}
