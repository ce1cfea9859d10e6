// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { createAgent } from '../../../src/agent/index.ts'
import { API_KEY } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()

const text = (words: string) => [
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: words },
]

describe.each(HOOKS)(
  'an answer that another process takes over, in useChat of %s [R3]',
  (_name, version, useChat) => {
    /** A run by hand, so that its process may go away in the middle. */
    const byHand = async (id: string) => {
      const open = () => {
        const agent = createAgent({ url: house.server.url, apiKey: API_KEY, socket: false })
        return agent.session(id)
      }
      let trigger = ''
      await until('somebody asks', async () => {
        const { inputs } = await house.ask('GET', `/sessions/${id}/inputs`)
        trigger = (inputs as readonly { readonly id: string }[])[0]?.id ?? ''
        return trigger !== ''
      })
      const first = await open().start({ trigger, run: `run-${id}` })
      const takeOver = () => open().start({ trigger, run: `run-${id}`, adopt: 'rewrite' })
      return { first, takeOver }
    }

    test('other words in the place of the first ones are all that is shown', async () => {
      const id = await house.newSession()
      const page = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      const { first, takeOver } = await byHand(id)
      await first?.pipe([{ type: 'start' }, { type: 'start-step' }, ...text('First wor')], {
        keepOpen: true,
      })
      await page.shows('Tell me', 'First wor')
      const second = await takeOver()
      await second?.pipe([{ type: 'start' }, { type: 'start-step' }, ...text('Second words')])
      await second?.finish()
      await page.shows('Tell me', 'Second words')
      await page.is('ready')
      expect(page.errors).toEqual([])
    }, 60_000)

    test('the same words again are shown once, and so is another second step', async () => {
      const id = await house.newSession()
      const page = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      const { first, takeOver } = await byHand(id)
      const start = [{ type: 'start' }, { type: 'start-step' }]
      const one = [
        ...text('One. '),
        { type: 'text-end', id: '0' },
        { type: 'finish-step' },
        { type: 'start-step' },
      ]
      await first?.pipe([...start, ...one, ...text('Tw')], { keepOpen: true })
      await page.shows('Tell me', 'One. Tw')
      const second = await takeOver()
      await second?.pipe([...start, ...one, ...text('Three.')])
      await second?.finish()
      await page.shows('Tell me', 'One. Three.')
      await page.is('ready')
      expect(page.errors).toEqual([])
    }, 60_000)

    test('a page that does not observe has the other words, too: by itself, or after a resume', async () => {
      const id = await house.newSession()
      const page = await openPage(useChat, id, house.transport({ version }), { observe: false })
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      const { first, takeOver } = await byHand(id)
      const start = [{ type: 'start' }, { type: 'start-step' }]
      await first?.pipe([...start, ...text('First wor')], { keepOpen: true })
      await page.shows('Tell me', 'First wor')
      const second = await takeOver()
      await second?.pipe([...start, ...text('Second words')])
      if (version === 6) {
        await page.is('error')
        expect(page.errors.map(String)).toEqual([expect.stringContaining('begun anew')])
        void page.now().resumeStream()
      }
      await page.shows('Tell me', 'Second words')
      await second?.finish()
      await page.is('ready')
      expect(page.errors).toHaveLength(version === 6 ? 1 : 0)
    }, 60_000)
  },
)
