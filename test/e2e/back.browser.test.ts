import { expect, onTestFinished, test } from 'vitest'
import { Answer } from '../support/answer.ts'
import { launchBrowser } from '../support/browser.ts'
import { startFollowPage } from './follow-page.ts'
import type { TestPage } from './page/follow.ts'

declare const page: TestPage
declare const cameBack: boolean[]

const DELTAS = 40
const PATIENCE = { timeout: 60_000 }

test('a page that is left and gone back to, out of the back-forward cache of a real browser, goes on where it was: each event once, without a reload (R15, S1-10)', async () => {
  const { pages, server, close } = await startFollowPage()
  onTestFinished(close)
  const browser = await launchBrowser({ keepPages: true })
  onTestFinished(() => browser.close())
  const answer = new Answer(server, 'back', DELTAS)
  await answer.open()
  const token = await answer.token('ada')
  const query = new URLSearchParams({ server: server.url, session: 'back', token })
  const tab = await (await browser.newContext()).newPage()
  const problems: string[] = []
  tab.on('pageerror', ({ message }) => problems.push(message))
  const state = () => tab.evaluate(() => page.state())
  const text = () => tab.evaluate(() => page.text())
  await tab.goto(`${pages.origin}/?${query}`)
  await expect.poll(state, PATIENCE).toBe('live')
  await tab.evaluate(() => {
    const all: boolean[] = []
    Object.assign(globalThis, { cameBack: all })
    addEventListener('pageshow', ({ persisted }) => all.push(persisted))
  })
  const away = [10, 25]
  for (let index = 0; index < DELTAS; index++) {
    if (away.includes(index)) await tab.goto(`${server.url}/livez`)
    await answer.delta(index)
    // What came meanwhile is there soon, and nothing was loaded again for it.
    if (away.includes(index - 5)) {
      // It is not loaded, so that there is no more to wait for.
      await tab.goBack({ waitUntil: 'commit' })
      await expect.poll(text, PATIENCE).toBe(answer.pieces.slice(0, index + 1).join(''))
    }
  }
  await answer.complete()
  await expect.poll(() => tab.evaluate(() => page.status()), PATIENCE).toBe('completed')
  expect(await text()).toBe(answer.text)
  expect(await state()).toBe('live')
  expect(await tab.evaluate(() => cameBack)).toEqual(away.map(() => true))
  const history = await tab.evaluate(() => page.history)
  expect(history.filter(({ kind }) => kind === 'load')).toHaveLength(1)
  const serials = history.flatMap((entry) => (entry.kind === 'event' ? [entry.serial] : []))
  expect(serials).toEqual(serials.map((_, at) => (serials[0] ?? 0) + at))
  expect(problems).toEqual([])
}, 120_000)
