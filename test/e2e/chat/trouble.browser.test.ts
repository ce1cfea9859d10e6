import { describe, expect, test } from 'vitest'
import { until } from '../../support/until.ts'
import { API_KEY } from '../../support/server-process.ts'
import { useChatApp } from './chat-app.ts'
import { runsOf } from './server-words.ts'

const QUESTION = 'Which night has the calmest sea?'
const BOOK = 'Book the two cabins on the night ferry'
/** Within which a request is tried again, and more. */
const GIVEN_UP = { timeout: 60_000 }

describe('the chat says what does not come about', () => {
  const stage = useChatApp({ pace: 50 })
  const { enter } = stage

  test('what is said with no network is there, on its way; what could not be stopped is said, and words that were to stop it stay', async () => {
    const ana = await enter('Ana')
    await ana.say(BOOK)
    await ana.agent('waiting')
    const away = ana.page.getByRole('button', { name: 'No network' })
    await away.click()
    await ana.say('And how long does it take?', 'Queue')
    const unsent = ana.page.getByRole('list', { name: 'What is not sent yet' })
    await unsent.getByText('And how long does it take?').waitFor()
    await unsent.getByText('On its way').waitFor()
    await ana.page.getByRole('button', { name: 'Stop the answer' }).click()
    await ana.page.getByRole('alert').getByText('It was not stopped').waitFor(GIVEN_UP)
    await ana.say('Never mind', 'Interrupt')
    const box = ana.page.getByRole('textbox', { name: 'Your message' })
    expect(await box.inputValue()).toBe('Never mind')
    await ana.page.getByRole('alert').getByText('It was not interrupted').waitFor(GIVEN_UP)
    expect(await box.inputValue()).toBe('Never mind')
    await away.click()
    await box.press('Enter')
    await until('it is sent', async () => (await box.inputValue()) === '')
    await unsent.waitFor({ state: 'detached' })
    await until('all is answered', async () => {
      const runs = await runsOf(stage.app, ana.session)
      return runs.length === 3 && runs[0]?.status === 'cancelled'
    })
  }, 180_000)

  test('that a conversation is gone is said, and nothing more can be said in it; what was last heard of the agent is not told as if it were so', async () => {
    const ana = await enter('Ana')
    await ana.say(BOOK)
    await ana.agent('waiting')
    await fetch(`${stage.app.heldline.url}/v1/sessions/${ana.session}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${API_KEY}` },
    })
    await ana.page.getByRole('alert').getByText('is not there any more').waitFor()
    expect(await ana.page.locator('.composer textarea').isDisabled()).toBe(true)
    expect(await ana.page.getByRole('button', { name: 'Stop the answer' }).isDisabled()).toBe(true)
    await ana.page.getByText('Waiting for you, when last heard').waitFor()
    await ana.page.getByText('So it was when it was last heard of.').waitFor()
  }, 120_000)

  test('two questions while no agent is there are answered once each, in their order, when it is back; whether it is frozen is shown to all', async () => {
    const ana = await enter('Ana')
    const ben = await enter('Ben', ana.session)
    const pressed = (chat: typeof ana): Promise<string | null> =>
      chat.page.getByRole('button', { name: 'Freeze the agent' }).getAttribute('aria-pressed')
    await ana.page.getByRole('button', { name: 'Freeze the agent' }).click()
    await until('both see it frozen', async () =>
      [await pressed(ana), await pressed(ben)].every((one) => one === 'true'),
    )
    await ana.page.getByRole('button', { name: 'Kill the agent' }).click()
    await until('neither does', async () =>
      [await pressed(ana), await pressed(ben)].every((one) => one === 'false'),
    )
    await ana.say(QUESTION)
    await ana.page.getByText(QUESTION).first().waitFor()
    await ana.say('And how long does it take?')
    const roles = async (chat: typeof ana): Promise<string[]> =>
      (await chat.messages()).map(({ role, text }) => (role === 'user' ? text : role))
    const all = [QUESTION, 'assistant', 'And how long does it take?', 'assistant']
    for (const chat of [ana, ben]) {
      let shown: string[] = []
      const isAll = async (): Promise<boolean> => {
        shown = await roles(chat)
        return shown.join() === all.join()
      }
      await until('both are answered', isAll, { withinMs: 90_000, instead: () => shown })
      await chat.agent('idle')
    }
    expect(await roles(ana)).toEqual(all)
    expect(await runsOf(stage.app, ana.session)).toHaveLength(2)
  }, 180_000)

  test('the link is there to be copied by hand where the browser does not let a page copy it', async () => {
    const ana = await stage.device()
    const { page } = ana
    await page.addInitScript(() =>
      Object.defineProperty(navigator, 'clipboard', { value: undefined }),
    )
    await ana.enter(stage.app.url, 'Ana')
    await page.getByRole('button', { name: 'Copy the link' }).click()
    const field = page.getByLabel('The link, to be copied by hand')
    expect(await field.inputValue()).toBe(page.url())
    expect(await page.evaluate(() => getSelection()?.toString())).toBe(page.url())
  }, 60_000)

  test('who comes with a browser that lets a page keep nothing comes in all the same, and speaks', async () => {
    const ana = await stage.device()
    await ana.page.addInitScript(() => {
      const get = (): never => {
        throw new DOMException('The operation is insecure.', 'SecurityError')
      }
      for (const name of ['localStorage', 'sessionStorage'])
        Object.defineProperty(globalThis, name, { get })
    })
    await ana.enter(stage.app.url, 'Ana')
    await ana.say(QUESTION)
    await ana.saysMore(20)
  }, 60_000)

  test('who changes nothing after all, or shuts the drawer, is where they were', async () => {
    const ana = await enter('Ana')
    await ana.page.setViewportSize({ width: 390, height: 780 })
    await ana.say(BOOK)
    await ana.agent('waiting')
    await ana.page.getByRole('button', { name: 'Stop the answer' }).click()
    await ana.agent('idle')
    const pencil = ana.page.getByRole('button', { name: 'Change this and ask again' })
    await pencil.click()
    await ana.page.getByLabel('Your message, changed').press('Escape')
    const hasFocus = (element: Element): boolean => element === document.activeElement
    expect(await pencil.evaluate(hasFocus)).toBe(true)
    const toggle = ana.page.locator('header button[aria-controls="panel"]')
    await toggle.click()
    await ana.page.getByRole('button', { name: 'Cut the socket' }).focus()
    await ana.page.keyboard.press('Escape')
    expect(await toggle.getAttribute('aria-expanded')).toBe('false')
    expect(await toggle.evaluate(hasFocus)).toBe(true)
  }, 120_000)
})
