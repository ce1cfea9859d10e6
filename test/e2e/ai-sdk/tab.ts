import type { UIMessage } from 'ai'
import type { RealTab, RealWindow } from '../../support/real-tabs.ts'
import { until as untilSoon, type UntilOptions } from '../../support/until.ts'
import type { AiSdkPage } from '../page/ai-sdk.tsx'
import { SlowAnswer } from './slow-answer.ts'

declare const page: AiSdkPage

/** Browsers are slow where many run. */
const until = (what: string, holds: () => Promise<boolean>, options: UntilOptions = {}) =>
  untilSoon(what, holds, { withinMs: 60_000, ...options })

/** The page of the AI SDK's tests in a tab, over its reloads. */
export class AiSdkTab {
  readonly #window: RealWindow
  readonly #tab: RealTab
  readonly #url: string
  /** As far as collected: the lines that were on the screen, each time that they changed. */
  readonly shown: (readonly string[])[] = []
  readonly errors: string[] = []

  private constructor(window: RealWindow, tab: RealTab, url: string) {
    this.#window = window
    this.#tab = tab
    this.#url = url
  }

  static async open(window: RealWindow, url: string): Promise<AiSdkTab> {
    const opened = new AiSdkTab(window, await window.tab(url), url)
    await opened.#isThere()
    return opened
  }

  async say(text: string): Promise<void> {
    await this.#tab.evaluate((words) => page.say(words ?? ''), text)
  }

  /** So often at once, whatever the chat is at. */
  async resume(times: number): Promise<void> {
    await this.#tab.evaluate((count) => {
      for (let n = 0; n < count; n++) page.resume()
    }, times)
  }

  async stop(): Promise<void> {
    await this.#tab.evaluate(() => page.stop())
  }

  async leave(): Promise<void> {
    await this.#tab.evaluate(() => page.leave())
    const text = () => this.#tab.evaluate(() => document.body.textContent)
    await until('the chat is unmounted', async () => (await text()) === 'Elsewhere')
  }

  async enter(): Promise<void> {
    await this.#tab.evaluate(() => page.enter())
  }

  /** Behind another tab, unseen. */
  async back(): Promise<void> {
    await this.#window.tab('about:blank')
    const isHidden = () => this.#tab.evaluate(() => document.visibilityState === 'hidden')
    await until('it is unseen', isHidden)
  }

  async front(): Promise<void> {
    await this.#tab.front()
  }

  /** The application's way back, where there is an error: again until it follows. */
  async goOn(): Promise<void> {
    await until('it goes on', async () => {
      const status = await this.#status()
      if (status === 'error') await this.#tab.evaluate(() => page.resume())
      return status === 'streaming' || status === 'ready'
    })
  }

  async reload(): Promise<void> {
    await this.collect()
    await this.#tab.goto(this.#url)
    await this.#isThere()
  }

  /** Resolves when what the answer's first chunks show is on the screen. */
  async shows(chunks: number): Promise<void> {
    let answer = ''
    const errors: string[] = []
    await until(
      `${chunks} chunks are shown`,
      async () => {
        const [lines, problems] = await this.#tab.evaluate(
          () => [page.shown.at(-1) ?? [], page.errors] as const,
        )
        answer = lines.findLast((line) => line.startsWith('assistant: '))?.slice(11) ?? ''
        errors.splice(0, errors.length, ...problems)
        return SlowAnswer.isAt(answer, chunks)
      },
      { instead: () => ({ answer, errors }) },
    )
  }

  async is(wanted: string): Promise<void> {
    let status = ''
    const isSo = async () => (status = await this.#status()) === wanted
    await until(`the chat is ${wanted}`, isSo, {
      instead: () => ({ status, problems: this.#tab.problems }),
    })
  }

  async lines(): Promise<readonly string[]> {
    return this.#tab.evaluate(() => page.shown.at(-1) ?? [])
  }

  async messages(): Promise<readonly UIMessage[]> {
    return this.#tab.evaluate(() => page.messages())
  }

  /** What the page has seen since it was loaded: once, before it goes. */
  async collect(): Promise<void> {
    const { shown, errors } = await this.#tab.evaluate(() => ({
      shown: page.shown,
      errors: page.errors,
    }))
    this.shown.push(...shown)
    this.errors.push(...errors, ...this.#tab.problems.splice(0))
  }

  async #status(): Promise<string> {
    return this.#tab.evaluate(() => page.status())
  }

  async #isThere(): Promise<void> {
    const isThere = () => this.#tab.evaluate(() => 'page' in globalThis && page.status() !== 'away')
    await until('the page is there', isThere, { instead: () => this.#tab.problems })
  }
}
