import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Answer } from '../support/answer.ts'
import { startFollowPage, type FollowPage } from './follow-page.ts'
import type { TestPage } from './page/follow.ts'

declare const page: TestPage

/** More than the six connections that a browser opens to a server over HTTP/1.1. */
const TABS = 10
const DELTAS = 30

let opened: FollowPage
beforeAll(async () => {
  opened = await startFollowPage()
})
afterAll(() => opened.close())

async function openTab(context: BrowserContext, query: URLSearchParams): Promise<Page> {
  const tab = await context.newPage()
  await tab.routeWebSocket(/./, (socket) => socket.close({ code: 1006 }))
  await tab.goto(`${opened.pages.origin}/?${query}`)
  return tab
}

const states = (tabs: readonly Page[]) =>
  Promise.all(tabs.map((tab) => tab.evaluate(() => page.state())))
const texts = (tabs: readonly Page[]) =>
  Promise.all(tabs.map((tab) => tab.evaluate(() => page.text())))

test('[R19] ten tabs without a socket, over HTTP/1.1, all load and follow; the tab that reads for them is closed, and they go on', async () => {
  const { server, browser } = opened
  const answer = new Answer(server, 'tabs', 2 * DELTAS)
  await answer.open()
  const token = await answer.token('ada')
  const query = new URLSearchParams({ server: server.url, session: 'tabs', token, share: 'leader' })
  const context = await browser.newContext()
  const tabs: Page[] = []
  for (let n = 0; n < TABS; n++) tabs.push(await openTab(context, query))
  const patience = { timeout: 60_000 }
  await expect.poll(() => states(tabs), patience).toEqual(tabs.map(() => 'live'))
  for (let index = 0; index < DELTAS; index++) await answer.delta(index)
  const half = answer.pieces.slice(0, DELTAS).join('')
  await expect.poll(() => texts(tabs), patience).toEqual(tabs.map(() => half))
  const [leader, ...others] = tabs
  await leader?.close()
  for (let index = DELTAS; index < 2 * DELTAS; index++) await answer.delta(index)
  await expect.poll(() => texts(others), patience).toEqual(others.map(() => answer.text))
  await context.close()
}, 180_000)
