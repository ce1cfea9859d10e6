// @vitest-environment jsdom
import {
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
} from 'ai'
import { describe, expect, test } from 'vitest'
import type { Run } from '../../../src/agent/index.ts'
import { ASKS, CALLS, GOES_ON, SHOWN } from '../../support/tool-chunks.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'
import { HOOKS, openPage, textOf } from './page.tsx'

const house = useHouse()
type Automatic = typeof lastAssistantMessageIsCompleteWithToolCalls
const within = { timeout: 60_000 }

describe.each(HOOKS)(
  'people and tools, with useChat of %s [S3-10] [S4-09]',
  (_name, version, useChat) => {
    const open = async (act: (run: Run) => unknown, sendAutomaticallyWhen: Automatic) => {
      const id = await house.newSession()
      house.agent(id, act)
      const transport = house.transport({ version })
      const more = { sendAutomaticallyWhen }
      const page = await openPage(useChat, id, transport, { more, observe: false })
      const other = await openPage(useChat, id, house.transport({ version }), {
        more: { resume: false },
      })
      await page.is('ready')
      void page.now().sendMessage({ text: 'Book' })
      return { id, page, other, transport }
    }
    const partsOf = (page: Awaited<ReturnType<typeof openPage>>) => page.now().messages[1]?.parts

    test(
      'an agent that asks whether it may go on goes on with what a person says, in the same answer',
      within,
      async () => {
        let told: unknown
        const { id, page, other } = await open(async (run) => {
          await run.pipe(ASKS)
          told = await run.ask({ prompt: 'May I?', data: { approvalId: 'a1' } })
          await run.pipe(GOES_ON)
        }, lastAssistantMessageIsCompleteWithApprovalResponses)
        await until('it asks', () => partsOf(page)?.at(-1)?.type === 'tool-book')
        await page.is('ready')
        await until('the other page sees it', () => partsOf(other)?.at(-1)?.type === 'tool-book')
        expect(partsOf(other)?.[1]).toMatchObject({
          state: 'approval-requested',
          approval: { id: 'a1' },
        })
        await page.now().addToolApprovalResponse({ id: 'a1', approved: true, reason: 'gladly' })
        await until('it goes on', () => page.said()[1] === 'Seat 7.', {
          instead: () => [page.now().messages, page.errors.map(String)],
        })
        await page.is('ready')
        expect(told).toEqual({ approved: true, reason: 'gladly' })
        expect(partsOf(page)).toMatchObject(SHOWN)
        await until('the other page, too', () => other.said()[1] === 'Seat 7.')
        expect(partsOf(other)).toMatchObject(SHOWN)
        expect(page.now().messages).toHaveLength(2)
        expect([page.errors, other.errors]).toEqual([[], []])
        const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
        expect(runs).toHaveLength(1)
      },
    )

    test(
      'an agent that waits for what a tool of the page gives goes on with it',
      within,
      async () => {
        let told: unknown
        const { page } = await open(async (run) => {
          await run.pipe(CALLS)
          told = await run.ask({ prompt: 'Where are you?', data: { toolCallId: 'c1' } })
          await run.pipe(GOES_ON)
        }, lastAssistantMessageIsCompleteWithToolCalls)
        await until('it asks', () => partsOf(page)?.at(-1)?.type === 'tool-book')
        await page.is('ready')
        await page.now().addToolOutput({ tool: 'book', toolCallId: 'c1', output: { seat: 7 } })
        await until('it goes on', () => page.said()[1] === 'Seat 7.')
        await page.is('ready')
        expect(told).toEqual({ output: { seat: 7 } })
        expect(partsOf(page)).toMatchObject(SHOWN)
        expect(page.errors).toEqual([])
      },
    )

    test(
      'an agent whose run was over is given what a tool of the page gave, and goes on with the answer in a run of its own',
      within,
      async () => {
        const given: unknown[] = []
        const inputs = async () =>
          (await house.events(id)).filter(({ type }) => type === 'input.received')
        const { id, page, transport } = await open(async (run) => {
          given.push((await inputs()).at(-1)?.data['data'])
          if (given.length === 1) await run.pipe(CALLS)
          else await run.pipe(GOES_ON)
        }, lastAssistantMessageIsCompleteWithToolCalls)
        await until('it calls', () => partsOf(page)?.at(-1)?.type === 'tool-book')
        await page.is('ready')
        await page.now().addToolOutput({ tool: 'book', toolCallId: 'c1', output: { seat: 7 } })
        await until('it goes on', () => page.said()[1] === 'Seat 7.', {
          instead: () => [page.now().messages, page.errors.map(String)],
        })
        await page.is('ready')
        expect(given).toEqual([undefined, { results: [{ toolCallId: 'c1', output: { seat: 7 } }] }])
        expect(partsOf(page)).toMatchObject(SHOWN)
        expect(page.now().messages).toHaveLength(2)
        // After a reload it is one answer, too.
        const loaded = await transport.loadMessages(id)
        expect(loaded.map(textOf)).toEqual(['Book', 'Seat 7.'])
        expect(loaded[1]?.parts).toMatchObject(SHOWN)
        expect(page.errors).toEqual([])
      },
    )

    test(
      'a page that comes while an agent asks is ready, and goes on with what it says; a question about no tool leaves the stream as it is',
      within,
      async () => {
        const { id, page } = await open(async (run) => {
          await run.pipe(ASKS)
          await run.ask({ prompt: 'May I?', data: { approvalId: 'a1' } })
          await run.ask({ prompt: 'Window?', question: `window-${id}` })
          await run.pipe(GOES_ON)
        }, lastAssistantMessageIsCompleteWithApprovalResponses)
        await until('it asks', () => partsOf(page)?.at(-1)?.type === 'tool-book')
        await page.is('ready')
        await page.unmount()
        const transport = house.transport({ version })
        const messages = await transport.loadMessages(id)
        const again = await openPage(useChat, id, transport, {
          messages,
          observe: false,
          more: { sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses },
        })
        await again.now().resumeStream()
        await again.is('ready')
        await again.now().addToolApprovalResponse({ id: 'a1', approved: true })
        await until('it asks again', async () => {
          const { status } = await house
            .ask('GET', `/sessions/${id}/questions/window-${id}`)
            .catch(() => ({ status: 'none' }))
          return status === 'open'
        })
        expect(again.now().status).not.toBe('ready')
        // Who comes now waits with it.
        const third = await openPage(useChat, id, house.transport({ version }), { observe: false })
        await until('it streams', () => third.now().messages.length === 1)
        await house.ask('POST', `/sessions/${id}/questions/window-${id}/answer`, { answer: 'yes' })
        await until('it goes on', () => again.said()[1] === 'Seat 7.')
        await until('there, too', () => third.said().at(-1) === 'Seat 7.')
        await again.is('ready')
        expect(again.now().messages[1]?.parts).toMatchObject(SHOWN)
        expect([again.errors, third.errors]).toEqual([[], []])
      },
    )
  },
)
