// @vitest-environment jsdom
import type { UIMessage } from 'ai'
import { describe, expect, test } from 'vitest'
import type { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { Gate, useHouse } from './house.ts'
import { HOOKS, openPage, textOf, type Chat } from './page.tsx'

const house = useHouse()

/** A transport that tells its observer what the session holds also when the test wants it: between two renders, say. */
function tellingAtWill(transport: SessionChatTransport) {
  let tell = (_messages: UIMessage[]): void => undefined
  const observe = transport.observe.bind(transport)
  transport.observe = (chatId, listener, options) => {
    tell = listener
    return observe(chatId, listener, options)
  }
  return { transport, tell: (messages: UIMessage[]) => tell(messages) }
}

const words = (text: string): { role: 'user'; parts: UIMessage['parts'] } => ({
  role: 'user',
  parts: [{ type: 'text', text }],
})

/** What a person does, and what the chat shows from then on until it is answered. */
const ACTS: readonly (readonly [string, (chat: Chat) => unknown, readonly string[]])[] = [
  ['sent', (chat) => chat.sendMessage(words('And now?')), ['First', 'Answer 1', 'And now?']],
  [
    'edited',
    (chat) => chat.sendMessage({ ...words('Other words'), messageId: chat.messages[0]?.id ?? '' }),
    ['Other words'],
  ],
  ['asked again', (chat) => chat.regenerate(), ['First']],
]

describe.each(HOOKS)(
  'what is drawn is not what the chat has, in useChat of %s [S3-10]',
  { timeout: 60_000 },
  (_name, version, useChat) => {
    test.each(ACTS)(
      'what was %s in the moment in which the session is observed is not taken back',
      async (_what, act, expected) => {
        const id = await house.newSession()
        const gate = new Gate()
        let runs = 0
        house.agent(id, async (run) => {
          const answer = `Answer ${++runs}`
          if (runs > 1) await gate.opened
          await run.text(answer)
        })
        const { transport, tell } = tellingAtWill(house.transport({ version }))
        const page = await openPage(useChat, id, transport)
        await page.is('ready')
        void page.now().sendMessage({ text: 'First' })
        await page.shows('First', 'Answer 1')
        await page.is('ready')

        const held = await transport.loadMessages(id)
        expect(held.map(textOf)).toEqual(['First', 'Answer 1'])
        // The hook begins some steps later, and what it changes is drawn some steps after that: one of these is between the two.
        void act(page.now())
        for (let step = 0; step < 20; step++) {
          tell(held)
          await Promise.resolve()
        }
        await page.shows(...expected)
        gate.open()
        await page.shows(...expected, 'Answer 2')
        await page.is('ready')
        expect(page.errors).toEqual([])
      },
    )
  },
)
