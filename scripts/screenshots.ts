// Makes the pictures of the chat example in docs/images: the real app, in Chromium, in each of its states.
//
//   npm run screenshots
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { ChatPage } from '../test/e2e/chat/chat-page.ts'
import { startChat } from '../test/e2e/chat/start-chat.ts'
import { launchBrowser } from '../test/support/browser.ts'

const folder = join(import.meta.dirname, '../docs/images')
const DESK: BrowserContextOptions = { viewport: { width: 1180, height: 760 }, colorScheme: 'light' }
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 760 },
  colorScheme: 'dark',
  isMobile: true,
  hasTouch: true,
}

mkdirSync(folder, { recursive: true })
const app = await startChat({ pace: 100, deliveryAfterMs: 2000 })
const browser = await launchBrowser()

async function open(options: BrowserContextOptions, name: string, address = ''): Promise<ChatPage> {
  const chat = new ChatPage(await (await browser.newContext(options)).newPage())
  await chat.enter(app.url, name, address)
  return chat
}

async function shoot(page: Page, name: string): Promise<void> {
  // A turn of the lamps and the last word are in it, or not: the rest is at rest.
  await page.waitForTimeout(400)
  await page.screenshot({ path: join(folder, `chat-${name}.png`) })
  console.log(`docs/images/chat-${name}.png`)
}

try {
  const ana = await open(DESK, 'Ana')
  await shoot(ana.page, 'empty')
  const ben = await open(PHONE, 'Ben', ana.session)
  await ana.say('How do we get from Kiel to Gothenburg this week?')
  await ana.agent('thinking')
  await shoot(ana.page, 'thinking')
  await ana.saysMore(40)
  await ben.say('Only ships with cabins, please', 'Steer')
  await ana.say('And how long does it take?', 'Queue')
  await ana.saysMore(300)
  await shoot(ana.page, 'writing')
  await shoot(ben.page, 'phone')
  await ana.page.getByRole('button', { name: 'No network' }).click()
  await ana.line('recovering')
  await shoot(ana.page, 'recovering')
  await ana.page.getByRole('button', { name: 'No network' }).click()
  await ana.page.getByRole('button', { name: 'Freeze the agent' }).click()
  await ana.agent('stalled')
  await shoot(ana.page, 'stalled')
  await ana.page.getByRole('button', { name: 'Freeze the agent' }).click()
  await ana.page.getByRole('button', { name: 'Kill the agent' }).click()
  await ana.agent('lost')
  await shoot(ana.page, 'lost')
  await ana.agent('streaming')
  await ana.page.getByRole('button', { name: 'Stop the answer' }).click()
  await ana.agent('idle')
  await ben.say('Book the two cabins on the night ferry')
  await ana.agent('waiting')
  // The state is there before what is asked.
  await ana.page.getByRole('button', { name: 'Yes, do it' }).waitFor()
  await shoot(ana.page, 'question')
  await ana.page.getByRole('button', { name: 'No', exact: true }).click()
  await ana.agent('idle')
  await ana.page.getByRole('button', { name: 'Answer again' }).last().click()
  await ana.agent('waiting')
  await ben.page.getByRole('button', { name: 'Yes, do it' }).click()
  await ana.agent('idle')
  await shoot(ana.page, 'branches')
  const sam = await open(DESK, 'Sam', `${ana.session}&supervisor`)
  await sam.page.getByRole('button', { name: 'Take over' }).click()
  await sam.page.getByText('You have the floor').waitFor()
  await sam.say('Sam from the ferry desk here: I have put you on deck seven.')
  await shoot(sam.page, 'supervisor')
  await sam.page.getByRole('button', { name: 'Hand back' }).click()
  await ben.say('Thank you! Which night is it again?')
  await ben.saysMore(0)
  await ben.page.getByRole('button', { name: 'What goes on' }).click()
  await ben.page.getByRole('button', { name: 'Go away' }).last().click()
  await ben.page.getByText('Your answer is ready').waitFor({ timeout: 90_000 })
  await shoot(ben.page, 'away')
} finally {
  await browser.close()
  await app.close()
}
