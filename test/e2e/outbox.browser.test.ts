import { afterAll, beforeAll, expect, test } from 'vitest'
import { Answer } from '../support/answer.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { startFollowPage, type FollowPage } from './follow-page.ts'
import type { TestPage } from './page/follow.ts'

declare const page: TestPage

const WORDS = ['one', 'two', 'three', 'four']
const PATIENCE = { timeout: 60_000 }

let opened: FollowPage
let proxy: TcpProxy
beforeAll(async () => {
  opened = await startFollowPage()
  proxy = await startProxy(Number(new URL(opened.server.url).port))
})
afterAll(async () => {
  await proxy?.close()
  await opened?.close()
})

test('what is said and asked while the server is not to be reached outlives the reloads of a page, and arrives once, in order (R8, S3-07)', async () => {
  const { server, pages, browser } = opened
  const answer = new Answer(server, 'outbox', 0)
  await answer.open()
  const query = new URLSearchParams({
    server: `http://127.0.0.1:${proxy.port}`,
    session: 'outbox',
    token: await answer.token('ada'),
  })
  const tab = await (await browser.newContext()).newPage()
  const said = () => tab.evaluate(() => page.said())
  const state = () => tab.evaluate(() => page.state())
  await tab.goto(`${pages.origin}/?${query}`)
  await expect.poll(state, PATIENCE).toBe('live')
  proxy.mode = 'refuse'
  proxy.cut()
  await expect.poll(state, PATIENCE).not.toBe('live')
  for (const [index, words] of WORDS.entries()) {
    const how = index % 2 === 0 ? 'send' : 'prompt'
    await tab.evaluate(([text, way]) => page.say(text, way), [words, how] as const)
    // Each of them is said in a life of its own, and sees those of before.
    await expect.poll(said).toContainEqual([words, true])
    await tab.reload()
  }
  proxy.mode = 'pass'
  await expect.poll(said, PATIENCE).toEqual(WORDS.map((words) => [words, false]))
  const headers = { authorization: `Bearer ${server.key}` }
  const log = await fetch(`${server.url}/v1/sessions/outbox/events?after=2`, { headers })
  const { events } = (await log.json()) as { readonly events: readonly { readonly type: string }[] }
  const types = events.map(({ type }) => type)
  expect(types.filter((type) => type === 'message.completed')).toHaveLength(WORDS.length)
  expect(types.filter((type) => type === 'input.received')).toHaveLength(WORDS.length / 2)
  await tab.reload()
  await expect.poll(said, PATIENCE).toEqual(WORDS.map((words) => [words, false]))
  await tab.context().close()
}, 120_000)
