import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { launchBrowser } from '../../support/browser.ts'
import { ChatPage } from './chat-page.ts'
import { startChat, type ChatApp, type ChatOptions } from './start-chat.ts'

/** The chat, and a browser to be there with. */
export interface ChatStage {
  readonly app: ChatApp
  readonly browser: Browser
  /** Somebody's device, with nothing open yet. It goes with the test, in which nothing may have gone wrong on it. */
  readonly device: () => Promise<ChatPage>
  /** Somebody who has come in on a device of their own. @param address what follows the `#`; a new session where it is left out */
  readonly enter: (name: string, address?: string) => Promise<ChatPage>
}

/** For the tests of a file. @param devices what they are all like */
export function useChatApp(options: ChatOptions, devices: BrowserContextOptions = {}): ChatStage {
  let app: ChatApp
  let browser: Browser
  const pages: ChatPage[] = []
  beforeAll(async () => {
    app = await startChat(options)
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await app?.close()
  })
  afterEach(async ({ task }) => {
    const used = pages.splice(0)
    if (task.result?.state === 'fail') await tellWhatIs(app, used)
    const wrong = used.flatMap(({ problems }) => problems)
    await Promise.all(used.map(({ page }) => page.context().close()))
    expect(wrong).toEqual([])
  })
  const device = async (): Promise<ChatPage> => {
    const context = await browser.newContext(devices)
    const chat = new ChatPage(await context.newPage())
    pages.push(chat)
    return chat
  }
  return {
    get app() {
      return app
    },
    get browser() {
      return browser
    },
    device,
    async enter(name, address = '') {
      const chat = await device()
      await chat.enter(app.url, name, address)
      return chat
    },
  }
}

/** For whoever looks for the cause: what the server has of the session that a page was in. */
async function tellWhatIs(app: ChatApp, pages: readonly ChatPage[]): Promise<void> {
  const sessions = new Set(pages.map(({ session }) => session).filter((id) => id !== ''))
  for (const id of sessions) {
    const asked = ['runs', 'inputs', 'messages?limit=4'].map((what) =>
      app.ask('GET', `/sessions/${id}/${what}`).catch(String),
    )
    console.log(id, JSON.stringify(await Promise.all(asked)))
  }
}
