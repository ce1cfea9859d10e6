import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scriptedRun } from '../../src/demo/script.ts'
import { launchBrowser } from '../support/browser.ts'
import { startServerProcess, type ServerProcess } from '../support/server-process.ts'

const QUESTION = 'Does it hold?'

/** The text of the answer's own words, as the script has them. */
const ANSWER = scriptedRun(QUESTION)
  .map((step) => ('chunk' in step && step.chunk.type === 'text-delta' ? step.chunk.delta : ''))
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

  const status = (page: Page, wanted: string): Promise<void> =>
    expect.poll(() => page.getAttribute('#run', 'data-status'), { timeout: 60_000 }).toBe(wanted)
  const open = async (): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${server.url}/demo`)
    return page
  }
  const say = async (page: Page, text: string): Promise<void> => {
    await page.fill('#text', text)
    await page.press('#text', 'Enter')
  }

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
    expect(await page.textContent('#state')).toBe('live')
    await status(page, 'finished')
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

  test('tells what the agent is at; Stop keeps what was said, and the next prompt is answered [P-10.8]', async () => {
    const page = await open()
    await say(page, QUESTION)
    await status(page, 'streaming')
    await grows(page, 60)
    await page.getByRole('button', { name: 'Stop' }).click()
    await status(page, 'cancelled')
    const said = await words(page)
    expect(ANSWER.startsWith(said)).toBe(true)
    expect(said.length).toBeLessThan(ANSWER.length)
    await expect.poll(() => page.textContent('.mark')).toBe('Stopped here.')
    expect(await page.getByRole('status', { name: 'Agent' }).textContent()).toBe('Stopped')
    expect(await page.getByRole('button', { name: 'Stop' }).count()).toBe(0)

    await say(page, 'And now?')
    await grows(page, said.length + 20)
    expect((await words(page)).startsWith(said)).toBe(true)
    await page.context().close()
  }, 120_000)

  test('the text can be written while the agent answers: Send waits for its turn, and Interrupt ends what runs [P-11.2] (S4-12)', async () => {
    const page = await open()
    await say(page, QUESTION)
    await grows(page, 20)
    expect(await page.isEnabled('#text')).toBe(true)
    await say(page, 'Later')
    await expect.poll(() => page.textContent('#run')).toContain('1 message waits')
    expect(await page.locator('.mark').count()).toBe(0)
    await page.fill('#text', 'Now')
    await page.getByRole('button', { name: 'Interrupt' }).click()
    await expect.poll(() => page.locator('.mark').count(), { timeout: 20_000 }).toBe(1)
    await expect
      .poll(() => page.locator('[data-role="assistant"]').count(), { timeout: 30_000 })
      .toBe(2)
    await page.context().close()
  }, 90_000)

  test('thinking, writing, waiting, stalled and lost read and look different (S4-13)', async () => {
    const page = await open()
    const drawn = await page.evaluate<
      { text: string; look: string }[]
    >(`import('/demo/assets/run.js').then(({ drawStatus }) =>
      ['thinking', 'streaming', 'waiting', 'stalled', 'lost'].map((status) => {
        const element = document.getElementById('run')
        drawStatus(element, { status }, 0)
        const { background, border, borderRadius } = getComputedStyle(element, '::before')
        return { text: element.textContent, look: [background, border, borderRadius].join() }
      }))`)
    expect(new Set(drawn.map(({ text }) => text)).size).toBe(5)
    expect(new Set(drawn.map(({ look }) => look)).size).toBe(5)
    await page.context().close()
  }, 30_000)

  test('a question that was answered in the second tab shows its answer in the first [P-11.5]', async () => {
    const page = await open()
    await say(page, 'Publish the notes, but ask me first')
    await status(page, 'waiting')
    const second = await page.context().newPage()
    await second.goto(page.url())
    await second.getByRole('button', { name: 'Yes' }).click()
    await expect
      .poll(() => page.textContent('#questions'), { timeout: 20_000 })
      .toContain('Yes, said')
    expect(await page.getByRole('button', { name: 'Yes' }).count()).toBe(0)
    await status(page, 'finished')
    expect(await words(page)).toContain('It is done, once')
    await page.context().close()
  }, 90_000)

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
