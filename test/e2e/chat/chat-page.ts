import type { Page } from 'playwright-core'
import { until } from '../../support/until.ts'
import { ReadPage } from './read-page.ts'

const WITHIN_MS = 90_000

/** One window of the chat, used as a person does: by what is written on it. */
export class ChatPage extends ReadPage {
  readonly page: Page
  /** What went wrong in it. */
  readonly problems: string[] = []

  constructor(page: Page) {
    super()
    this.page = page
    page.on('pageerror', (error) => this.problems.push(error.message))
  }

  /** Comes in. @param address what follows the `#`; a new session where it is left out */
  async enter(url: string, name: string, address = ''): Promise<void> {
    await this.page.goto(address === '' ? url : `${url}/#${address}`)
    await this.page.getByLabel('Your name').fill(name)
    await this.page.getByRole('button', { name: 'Come in' }).click()
    await this.page.getByRole('textbox', { name: 'Your message' }).waitFor()
  }

  get session(): string {
    return new URL(this.page.url()).hash.replace(/^#/, '').split('&')[0] ?? ''
  }

  async say(text: string, way?: 'Queue' | 'Steer' | 'Interrupt'): Promise<void> {
    if (way !== undefined) await this.page.getByText(way, { exact: true }).click()
    const box = this.page.locator('.composer textarea')
    await box.fill(text)
    await box.press('Enter')
  }

  protected read<Result>(look: () => Result): Promise<Result> {
    return this.page.evaluate(look)
  }

  /** The length of all that the assistant has said. */
  async said(): Promise<number> {
    const all = await this.messages()
    return all
      .filter(({ role }) => role === 'assistant')
      .reduce((sum, { text }) => sum + text.length, 0)
  }

  saysMore(than: number): Promise<void> {
    return until(`more is said than ${than} letters`, async () => (await this.said()) > than, {
      withinMs: WITHIN_MS,
    })
  }

  /** Waits until the agent is shown in this state. */
  agent(state: string): Promise<void> {
    return this.#shows('.pill.health', state)
  }

  /** Waits until the connection is shown in this state. */
  line(state: string): Promise<void> {
    return this.#shows('.pill.line', state)
  }

  async #shows(pill: string, state: string): Promise<void> {
    const shown = (): Promise<string | null> => this.page.locator(pill).getAttribute('data-state')
    const instead = async () => ({
      session: this.session,
      shown: await shown(),
      report: await this.report(),
      latest: (await this.messages()).slice(-2),
    })
    const holds = async (): Promise<boolean> => (await shown()) === state
    await until(`${pill} shows ${state}`, holds, { withinMs: WITHIN_MS, instead })
  }

  /** Of the page's own count of what came over the line. */
  wrong(): Promise<string | null> {
    return this.page.locator('[data-what="wrong"]').textContent()
  }
}
