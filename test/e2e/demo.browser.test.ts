import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scriptedRun } from '../../src/demo/script.ts'
import { launchBrowser } from '../support/browser.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'

const QUESTION = 'Does it hold?'

/** The text of the answer's own words, as the script has them. */
const ANSWER = scriptedRun('m', { id: 'q', text: QUESTION })
  .filter((step) => step.data['part'] === 'answer-1' || step.data['part'] === 'answer-2')
  .map((step) => String(step.data['text']))
  .join('')

describe('the demo', () => {
  let server: ServerProcess
  let browser: Browser

  beforeAll(async () => {
    // As on a newcomer's machine: no settings but where the data is.
    server = await startServerProcess({ DEMO: 'auto', NODE_ENV: 'development' })
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  const words = (page: Page): Promise<string> =>
    page.evaluate(() =>
      [...document.querySelectorAll('[data-role="assistant"] .text')]
        .map((part) => part.textContent)
        .join(''),
    )
  const grows = (page: Page, beyond: number): Promise<void> =>
    expect.poll(async () => (await words(page)).length, { timeout: 60_000 }).toBeGreaterThan(beyond)

  test('goes on over a reload, a second tab, a cut and a restart of the server in the middle of the answer', async () => {
    const page = await (await browser.newContext()).newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    await page.goto(`${server.url}/`)
    await page.fill('#text', QUESTION)
    await page.press('#text', 'Enter')
    await grows(page, 20)

    await page.reload()
    await grows(page, 100)
    const second = await page.context().newPage()
    await second.goto(page.url())
    await grows(second, 150)

    await page.check('#cut')
    await expect.poll(() => page.textContent('#state'), { timeout: 10_000 }).not.toBe('live')
    await page.uncheck('#cut')
    await grows(page, 250)

    await server.kill('SIGKILL')
    await server.restart()
    for (const tab of [page, second])
      await expect.poll(() => words(tab), { timeout: 90_000 }).toBe(ANSWER)
    expect(await page.textContent('#wrong')).toBe('0')
    expect(await second.textContent('#wrong')).toBe('0')
    expect(await page.textContent('#resets')).toBe('0')
    expect(problems).toEqual([])
    expect(await page.getByRole('status').textContent()).toBe('live')
  }, 180_000)

  test('carries where no WebSocket gets through: what the client loads for that is served too', async () => {
    const page = await (await browser.newContext()).newPage()
    await page.routeWebSocket(/./, (socket) => socket.close({ code: 1006 }))
    await page.goto(`${server.url}/`)
    await expect.poll(() => page.textContent('#state'), { timeout: 30_000 }).toBe('live')
    await page.fill('#text', QUESTION)
    await page.press('#text', 'Enter')
    await grows(page, 20)
    await page.context().close()
  }, 60_000)

  test('keeps visitors to their own sessions', async () => {
    const join = async (body: unknown): Promise<{ session: string; token: string }> =>
      (await (
        await fetch(`${server.url}/demo/join`, { method: 'POST', body: JSON.stringify(body) })
      ).json()) as {
        session: string
        token: string
      }
    const [one, other] = [await join({}), await join({})]
    expect(one.session).not.toBe(other.session)
    const read = (session: string, token: string): Promise<Response> =>
      fetch(`${server.url}/v1/sessions/${session}/messages`, {
        headers: { authorization: `Bearer ${token}` },
      })
    expect((await read(one.session, one.token)).status).toBe(200)
    expect((await read(other.session, one.token)).status).toBe(404)
    // A name outside of the demo is not given, whatever is asked for.
    expect((await join({ session: 'somebody-elses' })).session).toMatch(/^demo-/)
  })
})
