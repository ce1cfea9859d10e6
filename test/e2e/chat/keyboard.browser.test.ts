import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { until } from '../../support/until.ts'
import { useChatApp } from './chat-app.ts'
import { runsOf } from './server-words.ts'

const MAX_TABS = 60

describe('the chat by keyboard alone', () => {
  const stage = useChatApp({ pace: 50 })

  /** Goes on with Tab until what has the focus is called so, and can be seen to have it. */
  const tabTo = async (page: Page, name: string): Promise<void> => {
    const passed: string[] = []
    for (let tabs = 0; tabs < MAX_TABS; tabs++) {
      const { called, seen } = await page.evaluate(focused)
      if (called === name) {
        expect(seen, `${name} is seen to have the focus`).toBe(true)
        return
      }
      passed.push(called)
      await page.keyboard.press('Tab')
    }
    throw new Error(`Tab does not lead to ${name}; it leads to ${passed.join(', ')}`)
  }
  const press = async (page: Page, name: string): Promise<void> => {
    await tabTo(page, name)
    await page.keyboard.press('Enter')
  }
  const write = async (page: Page, where: string, words: string): Promise<void> => {
    await tabTo(page, where)
    await page.keyboard.press('Control+A')
    await page.keyboard.type(words)
  }

  test('one comes in, asks, stops, answers a question, asks something else instead, and goes through the versions', async () => {
    const chat = await stage.device()
    const { page } = chat
    await page.goto(stage.app.url)
    await write(page, 'Your name', 'Ana')
    await page.keyboard.press('Enter')
    await page.getByRole('textbox', { name: 'Your message' }).waitFor()

    await write(page, 'Your message', 'Which night has the calmest sea?')
    await page.keyboard.press('Enter')
    await chat.saysMore(20)
    await press(page, 'Stop the answer')
    await chat.agent('idle')
    await page.getByText('Stopped here').waitFor()

    await write(page, 'Your message', 'Book the two cabins')
    await page.keyboard.press('Enter')
    await chat.agent('waiting')
    await press(page, 'Yes, do it')
    await until('one is where the answer comes', () =>
      page.evaluate(() => document.activeElement?.className === 'scroll'),
    )
    await page.getByText('would not have paid again.').waitFor()
    await chat.agent('idle')

    await press(page, 'Change this and ask again')
    await write(page, 'Your message, changed', 'Is there breakfast?')
    await press(page, 'Ask this instead')
    await until('it is answered', async () => {
      const [first, second, ...more] = await chat.messages()
      const isWhole = second?.text.endsWith('Shall I book the two cabins?') === true
      // The chat has the words a moment before the session says how they stand.
      const isTold = first?.status === 'completed' && second?.status === 'completed'
      return first?.text === 'Is there breakfast?' && isWhole && isTold && more.length === 0
    })
    await chat.agent('idle')
    const changed = await chat.messages()

    await press(page, 'The version before')
    await until('the first version is back', async () => (await chat.messages()).length === 4)
    await press(page, 'The next version')
    await until('the other one is back', async () => (await chat.messages()).length === 2)
    expect(await chat.messages()).toEqual(changed)
    const runs = await runsOf(stage.app, chat.session)
    expect(runs.map(({ status }) => status)).toEqual(['cancelled', 'finished', 'finished'])
  }, 180_000)
})

/** Of what has the focus. Stands for itself: it is run in the page. */
function focused(): { called: string; seen: boolean } {
  const element = document.activeElement
  if (!(element instanceof HTMLElement) || element === document.body)
    return { called: '', seen: false }
  const label = 'labels' in element ? (element.labels as NodeListOf<HTMLElement> | null)?.[0] : null
  const called = element.getAttribute('aria-label') ?? label?.textContent ?? element.textContent
  const shows = (one: Element | null): boolean => {
    if (one === null) return false
    const { outlineStyle, outlineWidth } = getComputedStyle(one)
    return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0
  }
  const box = element.getBoundingClientRect()
  const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
  // A field without a line of its own has that of what is around it.
  return { called: called.trim(), seen: inView && (shows(element) || shows(element.parentElement)) }
}
