import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Answer } from '../support/answer.ts'
import { startFollowPage, type FollowPage } from './follow-page.ts'
import type { TestPage } from './page/follow.ts'

declare const page: TestPage

const DELTAS = 40
const CODE = /over-http/

describe('a page in a network that lets no WebSocket through', () => {
  let pages: FollowPage['pages']
  let server: FollowPage['server']
  let browser: FollowPage['browser']
  let close: FollowPage['close'] | undefined

  beforeAll(async () => {
    ;({ pages, server, browser, close } = await startFollowPage())
  })
  afterAll(() => close?.())

  /** @param losses how many requests for the code of the fallback are lost */
  async function open(session: string, losses: number) {
    const answer = new Answer(server, session, DELTAS)
    await answer.open()
    const tab: Page = await (await browser.newContext()).newPage()
    await tab.routeWebSocket(/./, (socket) => socket.close({ code: 1006 }))
    const asked: string[] = []
    await tab.route(CODE, (route) => {
      asked.push(route.request().url())
      return asked.length > losses ? route.continue() : route.abort('internetdisconnected')
    })
    const token = await answer.token('ada')
    const query = new URLSearchParams({ server: server.url, session, token })
    await tab.goto(`${pages.origin}/?${query}`)
    return { tab, answer, asked }
  }

  const state = (tab: Page) => () => tab.evaluate(() => page.state())
  const text = (tab: Page) => () => tab.evaluate(() => page.text())

  test('has the answer whole, over what it loads for that', async () => {
    const { tab, answer, asked } = await open('blocked', 0)
    for (let index = 0; index < DELTAS; index++) await answer.delta(index)
    await expect.poll(text(tab), { timeout: 30_000 }).toBe(answer.text)
    expect(asked).toHaveLength(1)
    await tab.context().close()
  })

  test.each([1, 2])(
    'comes to life though the code for it was lost on the way, %i times',
    async (losses) => {
      const { tab, answer, asked } = await open(`lossy-${losses}`, losses)
      await expect.poll(state(tab), { timeout: 60_000 }).toBe('live')
      for (let index = 0; index < DELTAS; index++) await answer.delta(index)
      await expect.poll(text(tab), { timeout: 30_000 }).toBe(answer.text)
      // Not every browser asks the same address twice.
      expect(asked.map((url) => new URL(url).search)).toEqual(
        ['', '?again=1', ''].slice(0, losses + 1),
      )
      await tab.context().close()
    },
    120_000,
  )
})
