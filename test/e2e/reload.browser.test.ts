import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Answer, type Place } from '../support/answer.ts'
import { API_KEY, startServerProcess, TOKEN_SECRET } from '../support/server-process.ts'
import { startFollowPage, type FollowPage } from './follow-page.ts'
import type { Entry, TestPage } from './page/follow.ts'

declare const page: TestPage

const DELTAS = 400
const RELOADS = 50
const CUTS = 10

describe('an answer in a real browser', () => {
  let pages: FollowPage['pages']
  let server: FollowPage['server']
  let browser: FollowPage['browser']
  let close: FollowPage['close'] | undefined

  beforeAll(async () => {
    ;({ pages, server, browser, close } = await startFollowPage())
  })
  afterAll(() => close?.())

  async function open(
    session: string,
    place: Place = server,
  ): Promise<{ tab: Page; answer: Answer }> {
    const answer = new Answer(place, session, DELTAS)
    await answer.open()
    const tab = await (await browser.newContext()).newPage()
    const query = new URLSearchParams({
      server: place.url,
      session,
      token: await answer.token('ada'),
    })
    await tab.goto(`${pages.origin}/?${query}`)
    // A page that attaches only at the end takes one snapshot, and has followed nothing.
    await expect.poll(() => tab.evaluate(() => page.status()), { timeout: 30_000 }).toBe('open')
    return { tab, answer }
  }

  const textOf = (tab: Page): Promise<string> => tab.evaluate(() => page.text())
  const shows = (tab: Page, text: string): Promise<void> =>
    expect.poll(() => textOf(tab).catch(() => null), { timeout: 30_000, interval: 20 }).toBe(text)

  test(`[R2] is the same after ${RELOADS} reloads at different points`, async () => {
    const { tab, answer } = await open('reloads')
    const every = DELTAS / RELOADS
    for (let index = 0; index < DELTAS; index++) {
      await answer.delta(index)
      // Not waited for: the reload falls where it falls, in the middle of what is on its way.
      if (index % every === every / 2) await tab.reload()
    }
    await answer.complete()
    await shows(tab, answer.text)
    const history = await tab.evaluate(() => page.history)
    expect(history.filter((entry) => entry.kind === 'load')).toHaveLength(RELOADS + 1)
    expectOnce(history, answer)
    await tab.context().close()
  }, 240_000)

  test(`[R2] [S0-06] is the same after ${CUTS} losses of the network`, async () => {
    const { tab, answer } = await open('cuts')
    const every = DELTAS / CUTS
    for (let index = 0; index < DELTAS; index++) {
      await answer.delta(index)
      if (index % every === 10) await tab.context().setOffline(true)
      if (index % every === 25) {
        // A cut that nobody notices proves nothing.
        await expect
          .poll(() => tab.evaluate(() => page.state()), { timeout: 30_000, interval: 20 })
          .not.toBe('live')
        await tab.context().setOffline(false)
        await shows(tab, answer.pieces.slice(0, index + 1).join(''))
      }
    }
    await answer.complete()
    await shows(tab, answer.text)
    const history = await tab.evaluate(() => page.history)
    expect(history.filter((entry) => entry.kind === 'load')).toHaveLength(1)
    expectOnce(history, answer)
    await tab.context().close()
  }, 240_000)

  test('[S0-08] is the same after the server was killed and started again, three times in the middle', async () => {
    const node = await startServerProcess({
      API_KEYS: API_KEY,
      TOKEN_SECRET,
      ALLOWED_ORIGINS: pages.origin,
      DEMO: 'off',
    })
    try {
      const { tab, answer } = await open('restarts', { url: node.url, key: API_KEY })
      let restarts = Promise.resolve()
      for (let index = 0; index < DELTAS; index++) {
        // While it is away the agent tries again and again, and the page too.
        if (index % 120 === 60) restarts = node.kill('SIGKILL').then(() => node.restart())
        await answer.delta(index)
      }
      await restarts
      await answer.complete()
      await shows(tab, answer.text)
      expect(node.kills).toBe(3)
      const history = await tab.evaluate(() => page.history)
      expect(history.filter((entry) => entry.kind === 'load')).toHaveLength(1)
      expectOnce(history, answer)
      await tab.context().close()
    } finally {
      await node.stop()
    }
  }, 120_000)
})

/** Within one life of the page every serial comes once, the next after the one before, linked to it; a snapshot holds just what came before it. */
function expectOnce(history: readonly Entry[], answer: Answer): void {
  let last: { serial: number; tag: string | null } | null = null
  let events = 0
  for (const entry of history) {
    if (entry.kind === 'reset') expect.fail(`reset: ${entry.reason}`)
    if (entry.kind === 'load') last = null
    if (entry.kind === 'snapshot') {
      expect(last).toBeNull()
      // session.created and message.started come before the deltas.
      expect(entry.text).toBe(answer.pieces.slice(0, Math.max(0, entry.serial - 2)).join(''))
      last = { serial: entry.serial, tag: null }
    }
    if (entry.kind === 'event') {
      if (last !== null) {
        expect(entry.serial).toBe(last.serial + 1)
        if (last.tag !== null) expect(entry.prev).toBe(last.tag)
      }
      last = { serial: entry.serial, tag: entry.tag }
      events++
    }
  }
  expect(events).toBeGreaterThan(0)
}
