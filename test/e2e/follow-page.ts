import type { Browser } from 'playwright-core'
import { launchBrowser, servePage, type PageServer } from '../support/browser.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'

/** A server, a page of another origin that follows a session of it, and a real browser to open the page in. */
export interface FollowPage {
  readonly pages: PageServer
  readonly server: LocalServer
  readonly browser: Browser
  readonly close: () => Promise<void>
}

export async function startFollowPage(): Promise<FollowPage> {
  const pages = await servePage(new URL('page/follow.ts', import.meta.url))
  const server = await startLocalServer({ ALLOWED_ORIGINS: pages.origin })
  const browser = await launchBrowser()
  const close = async (): Promise<void> => {
    await browser.close()
    await server.close()
    await pages.close()
  }
  return { pages, server, browser, close }
}
