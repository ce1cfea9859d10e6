import { afterAll, beforeAll, expect, test } from 'vitest'
import { Answer } from '../support/answer.ts'
import { startFollowPage, type FollowPage } from './follow-page.ts'
import type { TestPage } from './page/follow.ts'

declare const page: TestPage

/** With the page's own more than the six connections that a browser opens to a server over HTTP/1.1. */
const BESIDE = 8

let opened: FollowPage
beforeAll(async () => {
  opened = await startFollowPage()
})
afterAll(() => opened.close())

test('a page with more sessions than its browser has connections, without a socket, follows all of them, and what is said there is not kept waiting', async () => {
  const { server, browser, pages } = opened
  const answers = Array.from({ length: BESIDE + 1 }, (_, n) => new Answer(server, `many-${n}`, 1))
  const [first, ...others] = answers
  if (first === undefined) throw new Error('there is a first')
  for (const answer of answers) await answer.open()
  const token = await new Answer(server, 'many-*', 0).token('ada')
  const query = new URLSearchParams({ server: server.url, session: 'many-0', token })
  for (const [n] of others.entries()) query.append('beside', `many-${n + 1}`)
  const context = await browser.newContext()
  const tab = await context.newPage()
  await tab.routeWebSocket(/./, (socket) => socket.close({ code: 1006 }))
  await tab.goto(`${pages.origin}/?${query}`)
  const beside = () => tab.evaluate(() => page.beside())
  const patience = { timeout: 30_000 }
  await expect.poll(beside, patience).toEqual(others.map(() => ['live', '']))
  await tab.evaluate(() => page.say('Heard?', 'send'))
  await expect
    .poll(() => tab.evaluate(() => page.said()), { timeout: 8000 })
    .toEqual([['Heard?', false]])
  for (const answer of answers) await answer.delta(0)
  await expect.poll(() => tab.evaluate(() => page.text()), patience).toBe(first.text)
  await expect.poll(beside, patience).toEqual(others.map(({ text }) => ['live', text]))
  await context.close()
}, 120_000)
