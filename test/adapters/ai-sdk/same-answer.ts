import type { ChatTransport, UIMessage } from 'ai'
import { expect } from 'vitest'
import { until } from '../../support/until.ts'
import type { House } from './house.ts'
import { openPage, type Hook } from './page.tsx'

const QUESTION = 'as recorded'
const CUTS = 3

type Page = Awaited<ReturnType<typeof openPage>>

/** What a page shows that has the answer from its application's own backend, in one piece and without a session. */
export async function shownDirectly(
  useChat: Hook,
  backend: ChatTransport<UIMessage>,
): Promise<UIMessage> {
  const page = await openPage(useChat, 'direct', backend, { more: { resume: false } })
  await page.now().sendMessage({ text: QUESTION })
  await isAnswered(page)
  expect(page.errors).toEqual([])
  return plain(page.now().messages[1])
}

/** The same chunks through a session into a page whose sockets are cut: the page, and one that comes later, show just what is expected. */
export async function expectSameAnswer(
  house: House,
  { version, useChat }: { readonly version: 6 | 7; readonly useChat: Hook },
  chunks: readonly object[],
  expected: UIMessage,
): Promise<void> {
  const id = await house.newSession()
  const page = await openPage(useChat, id, house.transport({ version }))
  await page.is('ready')
  const cutAt = Array.from({ length: CUTS }, (_, n) =>
    Math.floor(((n + 1) * chunks.length) / (CUTS + 1)),
  )
  let cuts = 0
  /** The answer waits before each cut until the page follows it, and goes on while the page is away. */
  async function* withCuts(): AsyncGenerator {
    let again: Promise<void> | undefined
    for (const [index, chunk] of chunks.entries()) {
      if (cutAt.includes(index)) {
        await again
        await page.is('streaming')
        again = house.proxy.seen('reply', isAttached)
        house.proxy.cut(cuts++ % 2 === 0 ? 'reset' : 'end')
      }
      yield chunk
    }
    await again
  }
  // What is piped is in the session: it is not the run's output as well.
  house.agent(id, async (run) => void (await run.pipe(withCuts())))
  await page.now().sendMessage({ text: QUESTION })
  await isAnswered(page)
  expect(cuts).toBe(CUTS)
  const shown = plain(page.now().messages[1])
  expect(shown.parts).toEqual(expected.parts)
  expect(shown.metadata).toEqual(expected.metadata)
  expect(page.errors).toEqual([])
  const [, loaded] = await house.transport({ version }).loadMessages(id)
  expect(plain(loaded)).toEqual({ ...expected, id: shown.id })
}

/** It is rendered, too. */
async function isAnswered(page: Page): Promise<void> {
  await until('there is an answer', () => page.now().messages.length === 2)
  await page.is('ready')
}

/** What the page is told once it is back. */
function isAttached(chunk: Buffer): boolean {
  return chunk.includes('"type":"attached"')
}

const plain = (message: UIMessage | undefined) => JSON.parse(JSON.stringify(message)) as UIMessage
