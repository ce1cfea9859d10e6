import { afterAll, beforeAll, describe, expect } from 'vitest'
import { Answer } from '../support/answer.ts'
import { testRecorded } from '../support/recorded.ts'
import { publishStream } from '../support/stream-agent.ts'
import { startFollowPage, type FollowPage } from './follow-page.ts'
import type { TestPage } from './page/follow.ts'

declare const page: TestPage

describe('a real answer, read through its provider’s package, arrives in a browser', () => {
  let pages: FollowPage['pages']
  let server: FollowPage['server']
  let browser: FollowPage['browser']
  let close: FollowPage['close'] | undefined

  beforeAll(async () => {
    ;({ pages, server, browser, close } = await startFollowPage())
  })
  afterAll(() => close?.())

  testRecorded(
    '%s: whole, with a reload and two losses of the network on the way',
    {},
    async ({ index, parts }) => {
      const session = `recorded-${index}`
      const tab = await (await browser.newContext()).newPage()
      try {
        const answer = new Answer(server, session, 0)
        await answer.open()
        const query = new URLSearchParams({
          server: server.url,
          session,
          token: await answer.token('ada'),
        })
        await tab.goto(`${pages.origin}/?${query}`)
        const sent = await publishStream(server, session, 'recorded', parts(), async (count) => {
          if (count === 8) await tab.reload()
          if (count === 5 || count === 11) await tab.context().setOffline(true)
          if (count === 7 || count === 14) await tab.context().setOffline(false)
        })
        await tab.context().setOffline(false)
        const received = (): Promise<unknown> =>
          tab.evaluate(() =>
            (page.messages() as { id: string }[]).find((message) => message.id === 'recorded'),
          )
        await expect
          .poll(received, { timeout: 30_000 })
          .toMatchObject({ status: 'completed', parts: sent })
        const texts = sent.filter((part) => part.type === 'text').map((part) => part.text)
        expect(texts.join('').length).toBeGreaterThan(0)
      } finally {
        await tab.context().close()
      }
    },
  )
})
