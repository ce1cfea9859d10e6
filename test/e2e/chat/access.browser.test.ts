import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { API_KEY } from '../../support/server-process.ts'
import { useChatApp } from './chat-app.ts'

const QUESTION = 'Which night has the calmest sea?'
const BOOK = 'Book the two cabins on the night ferry'

const SCREENS = [
  { name: 'desk', width: 1280, height: 800 },
  { name: 'phone', width: 390, height: 780 },
] as const

/** What axe finds, as far as it is told here. */
interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

declare const axe: {
  run(options: object): Promise<{ readonly violations: readonly Violation[] }>
}

describe('the chat for people who cannot see it, or have no mouse', () => {
  // What moves has no colour that can be measured.
  const stage = useChatApp({ pace: 20 }, { reducedMotion: 'reduce' })
  const { enter } = stage
  let axeSource = ''

  beforeAll(async () => {
    axeSource = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
  })

  /** On both screens, in both colours; on a phone with the drawer shut and open. */
  const expectGood = async (page: Page): Promise<void> => {
    await page.evaluate(axeSource)
    const found: string[] = []
    const look = async (where: string): Promise<void> => {
      const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }))
      for (const { id, nodes } of violations)
        for (const { html, failureSummary } of nodes)
          found.push(`${where}: ${id}: ${html.slice(0, 160)}: ${failureSummary ?? ''}`)
    }
    for (const { name, width, height } of SCREENS) {
      await page.setViewportSize({ width, height })
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await look(`${name}, ${colorScheme}`)
        const drawer = page.locator('header button[aria-controls="panel"]')
        if (!(await drawer.isVisible())) continue
        await drawer.click()
        await look(`${name}, ${colorScheme}, with the drawer`)
        await drawer.click()
      }
    }
    expect(found).toEqual([])
  }

  test('nothing at the door and in an empty room is in anybody’s way', async () => {
    const { page } = await stage.device()
    await page.goto(stage.app.url)
    await page.getByRole('heading', { name: 'Ferry desk' }).waitFor()
    await expectGood(page)
    const ana = await enter('Ana')
    await ana.page.getByText('Where would you like to go?').waitFor()
    await expectGood(ana.page)
  }, 120_000)

  test('nothing of an answer with thoughts, tools and versions is in anybody’s way', async () => {
    const ana = await enter('Ana')
    await ana.say(QUESTION)
    await ana.saysMore(700)
    await ana.agent('idle')
    await ana.page.getByRole('button', { name: 'Answer again' }).click()
    await ana.page.getByRole('group', { name: 'Versions of this message' }).waitFor()
    await ana.agent('idle')
    for (const summary of await ana.page.locator('summary').all()) await summary.click()
    await expectGood(ana.page)
  }, 120_000)

  test('nothing of a question, of what waits and of who is there is in anybody’s way', async () => {
    const ana = await enter('Ana')
    await enter('Ben', ana.session)
    await ana.say(BOOK)
    await ana.agent('waiting')
    await ana.say('And then?', 'Queue')
    await ana.page.locator('.queue li').waitFor()
    await expectGood(ana.page)
  }, 120_000)

  test('nothing of a supervisor’s view is in anybody’s way, before and after taking over', async () => {
    const ana = await enter('Ana')
    await ana.say(BOOK)
    await ana.agent('waiting')
    const { page } = await stage.device()
    await page.goto(`${stage.app.url}/#${ana.session}&supervisor`)
    await page.getByLabel('Your name').fill('Sam')
    await page.getByRole('button', { name: 'Come in' }).click()
    await page.getByRole('group', { name: 'The agent asks' }).waitFor()
    await expectGood(page)
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.getByRole('button', { name: 'Take over' }).click()
    await page
      .getByRole('textbox', { name: 'Speak in the agent’s place' })
      .fill('I will see to it.')
    await page.keyboard.press('Enter')
    await page.getByText('I will see to it.').waitFor()
    await expectGood(page)
    await ana.page.getByText('A person has taken over').waitFor()
    await expectGood(ana.page)
  }, 120_000)

  test('that an answer has failed is read out, and nothing of that is in anybody’s way', async () => {
    const ana = await enter('Ana')
    await ana.say(BOOK)
    await ana.agent('waiting')
    const { runs } = await stage.app.ask('GET', `/sessions/${ana.session}/runs`)
    // The server's answer, whose form its own tests hold.
    const [run] = runs as { id: string; epoch: number }[]
    const failed = await fetch(
      `${stage.app.heldline.url}/v1/sessions/${ana.session}/runs/${run?.id}/finish`,
      {
        method: 'POST',
        headers: {
          authorization: `Bearer ${API_KEY}`,
          'content-type': 'application/json',
          'run-epoch': `${run?.epoch}`,
        },
        body: JSON.stringify({ error: { message: 'The ferries are not to be reached.' } }),
      },
    )
    expect(failed.status).toBe(200)
    const alert = ana.page.getByRole('alert')
    await alert.waitFor()
    expect(await alert.textContent()).toBe('The ferries are not to be reached.')
    await expectGood(ana.page)
    await ana.say('And now?')
    await alert.waitFor({ state: 'detached' })
  }, 120_000)
})
