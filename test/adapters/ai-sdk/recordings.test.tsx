// @vitest-environment jsdom
import {
  createUIMessageStreamResponse,
  DefaultChatTransport,
  type UIMessage,
  type UIMessageChunk,
} from 'ai'
import { describe, expect } from 'vitest'
import { streamOf, testRecorded } from '../../support/recorded.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()
const QUESTION = 'as recorded'
const CUTS = 3

type Page = Awaited<ReturnType<typeof openPage>>

/** What a page shows that has the answer from its application's own backend, in one piece and without a session. */
async function shownDirectly(chunks: readonly UIMessageChunk[]) {
  // The hook of the version whose chunks they are: that of 6 has no word for some of them, which a session keeps for it all the same.
  const [[, , useChat]] = HOOKS
  const stream = async function* () {
    yield* chunks
  }
  const respond = () =>
    Promise.resolve(createUIMessageStreamResponse({ stream: streamOf(stream()) }))
  const transport = new DefaultChatTransport({ fetch: respond })
  const page = await openPage(useChat, 'direct', transport, { more: { resume: false } })
  await page.now().sendMessage({ text: QUESTION })
  await isAnswered(page)
  const { errors } = page
  expect(errors).toEqual([])
  return plain(page.now().messages[1])
}

/** It is rendered, too. */
async function isAnswered(page: Page): Promise<void> {
  await until('there is an answer', () => page.now().messages.length === 2)
  await page.is('ready')
}

const plain = (message: UIMessage | undefined) => JSON.parse(JSON.stringify(message)) as UIMessage

describe.each(HOOKS)(
  'a real answer, through its provider’s package, streamText, a session and useChat of %s [S3-10] [R3]',
  (_name, version, useChat) => {
    testRecorded(
      '%s is the same message as in a useChat without a session, over three cut sockets, and after a reload',
      { timeout: 60_000 },
      async (answer) => {
        const id = await house.newSession()
        const chunks: UIMessageChunk[] = []
        for await (const chunk of answer.chunks()) chunks.push(chunk)
        const expected = await shownDirectly(chunks)
        const transport = house.transport({ version })
        const page = await openPage(useChat, id, transport)
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
      },
    )
  },
)

/** What the page is told once it is back. */
function isAttached(chunk: Buffer): boolean {
  return chunk.includes('"type":"attached"')
}
