import { until } from '../../support/until.ts'
import type { RealTab, RealWindow } from '../../support/real-tabs.ts'
import { ReadPage } from './read-page.ts'

const BYTES_PER_SECOND = 200_000 / 8

/** The chat in a tab that is in front, behind or frozen as a person's is. */
export class ChatTab extends ReadPage {
  readonly tab: RealTab

  private constructor(tab: RealTab) {
    super()
    this.tab = tab
  }

  /** In front of the window's other tabs. @param address what follows the `#` */
  static async enter(
    window: RealWindow,
    url: string,
    name: string,
    address: string,
  ): Promise<ChatTab> {
    const chat = new ChatTab(await window.tab(`${url}/#${address}`))
    await chat.#focus('.welcome input')
    await chat.tab.type(name)
    await chat.#has('.composer')
    return chat
  }

  /** It has to be in front. */
  async say(text: string, way?: 'interrupt'): Promise<void> {
    if (way !== undefined) {
      const radio = `.ways [value=${way}]`
      await this.#has(radio)
      await this.tab.evaluate((at) => document.querySelector<HTMLElement>(at)?.click(), radio)
    }
    await this.#focus('.composer textarea')
    await this.tab.type(text)
  }

  /** 200 kbit/s and 500 ms. Chromium holds the bytes of sockets back, and delays requests and handshakes; a socket's frames are delayed by the page's own switch. */
  async slow(): Promise<void> {
    await this.tab.send('Network.enable')
    await this.tab.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 500,
      downloadThroughput: BYTES_PER_SECOND,
      uploadThroughput: BYTES_PER_SECOND,
    })
    await this.tab.evaluate(() => {
      const buttons = [...document.querySelectorAll('button')]
      const slow = buttons.find(({ textContent }) => textContent === 'Slow line')
      if (slow === undefined) throw new Error('there is no switch for a slow line')
      slow.click()
    })
  }

  protected read<Result>(look: () => Result): Promise<Result> {
    return this.tab.evaluate(look)
  }

  async #has(selector: string): Promise<void> {
    await until(`there is ${selector}`, () =>
      this.tab.evaluate((at) => document.querySelector(at) !== null, selector),
    )
  }

  async #focus(selector: string): Promise<void> {
    await this.#has(selector)
    await this.tab.evaluate((at) => document.querySelector<HTMLElement>(at)?.focus(), selector)
  }
}
