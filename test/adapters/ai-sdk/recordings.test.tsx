// @vitest-environment jsdom
import { createUIMessageStreamResponse, DefaultChatTransport, type UIMessageChunk } from 'ai'
import { describe } from 'vitest'
import { streamOf, testRecorded } from '../../support/recorded.ts'
import { useHouse } from './house.ts'
import { HOOKS } from './page.tsx'
import { expectSameAnswer, shownDirectly } from './same-answer.ts'

const house = useHouse()

// By the hook of the version whose chunks they are: that of 6 has no word for some of them, which a session keeps for it all the same.
const [[, , useChat7]] = HOOKS

describe.each(HOOKS)(
  'a real answer, through its provider’s package, streamText, a session and useChat of %s [S3-10] [R3]',
  (_name, version, useChat) => {
    testRecorded(
      '%s is the same message as in a useChat without a session, over three cut sockets, and after a reload',
      { timeout: 60_000 },
      async (answer) => {
        const chunks: UIMessageChunk[] = []
        for await (const chunk of answer.chunks()) chunks.push(chunk)
        const backend = new DefaultChatTransport({
          fetch: async () => createUIMessageStreamResponse({ stream: streamOf(allOf(chunks)) }),
        })
        const expected = await shownDirectly(useChat7, backend)
        await expectSameAnswer(house, { version, useChat }, chunks, expected)
      },
    )
  },
)

async function* allOf<T>(some: readonly T[]): AsyncGenerator<T> {
  yield* some
}
