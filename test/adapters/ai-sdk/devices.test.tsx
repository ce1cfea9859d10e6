// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { until } from '../../support/until.ts'
import { TEXT, uiText, useHouse, WORDS } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()
const at = (words: number): string => WORDS.slice(0, words).join(' ')

describe.each(HOOKS)(
  'a chat on several devices, with useChat of %s [S3-10] [S4-09]',
  { timeout: 60_000 },
  (_name, version, useChat) => {
    /** An agent that says a word whenever it is let; with a call of a tool before the first. */
    const slowly = (id: string) => {
      const state = { allowed: 0, runs: 0 }
      house.agent(id, async (run) => {
        state.runs++
        const next = (index: number) =>
          until('it may go on', () => index < state.allowed || run.signal.aborted)
        await run.pipe(afterTool(uiText(next)))
      })
      return state
    }
    const runsOf = async (id: string) => {
      const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
      return (runs as readonly { readonly status: string }[]).map(({ status }) => status)
    }
    const waiting = async (id: string) => {
      const { inputs } = await house.ask('GET', `/sessions/${id}/inputs`)
      return (inputs as readonly { readonly mode: string }[]).map(({ mode }) => mode)
    }

    test('a stop on one ends the answer on the other that asked, and on one that came later', async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const phone = await openPage(useChat, id, house.transport({ version }))
      await phone.is('ready')
      void phone.now().sendMessage({ text: 'Tell me' })
      agent.allowed = 10
      await phone.shows('Tell me', at(10))
      const desk = house.transport({ version })
      const messages = await desk.loadMessages(id)
      const later = await openPage(useChat, id, desk, { messages })
      await later.is('streaming')
      await desk.stop(id)
      for (const page of [phone, later]) {
        await page.is('ready')
        await page.shows('Tell me', at(10))
        expect(page.errors).toEqual([])
      }
      expect(await runsOf(id)).toEqual(['cancelled'])
    })

    test('what is said while an answer is given waits in the session, over a reload, and is answered next, everywhere [R10]', async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const page = await openPage(useChat, id, house.transport({ version }))
      const other = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'First' })
      agent.allowed = 10
      await page.shows('First', at(10))
      void page.now().sendMessage({ text: 'Second' })
      await until('it waits', async () => (await waiting(id)).join() === 'queue')
      await page.unmount()
      const transport = house.transport({ version })
      const messages = await transport.loadMessages(id)
      const again = await openPage(useChat, id, transport, { messages })
      agent.allowed = WORDS.length
      for (const one of [again, other]) {
        await one.shows('First', TEXT, 'Second', TEXT)
        await one.is('ready')
      }
      expect([page.errors, again.errors, other.errors]).toEqual([[], [], []])
      expect(await runsOf(id)).toEqual(['finished', 'finished'])
      expect([agent.runs, await waiting(id)]).toEqual([2, []])
    })

    test('an application that throws in the middle of an answer resumes it, and has it once [R3]', async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      let stumbles = true
      const onToolCall = (): void => {
        if (stumbles) throw new Error('the application stumbled')
      }
      const page = await openPage(useChat, id, house.transport({ version }), {
        observe: false,
        more: { onToolCall },
      })
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      await page.is('error')
      stumbles = false
      agent.allowed = 10
      void page.now().resumeStream()
      await page.shows('Tell me', at(10))
      agent.allowed = WORDS.length
      await page.shows('Tell me', TEXT)
      await page.is('ready')
      const tools = page.now().messages[1]?.parts.filter(({ type }) => type === 'tool-look')
      expect(tools).toMatchObject([{ state: 'output-available', output: 'blue' }])
      expect(page.errors.map(String)).toEqual(['Error: the application stumbled'])
      expect(agent.runs).toBe(1)
    })
  },
)

async function* afterTool(chunks: AsyncIterable<object>): AsyncGenerator<object> {
  const call = { toolCallId: 'c1', toolName: 'look' }
  for await (const chunk of chunks) {
    if ('type' in chunk && chunk.type === 'text-start') {
      yield { type: 'tool-input-available', ...call, input: { at: 'sea' } }
      yield { type: 'tool-output-available', toolCallId: call.toolCallId, output: 'blue' }
    }
    yield chunk
  }
}
