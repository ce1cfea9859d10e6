import { expect, onTestFinished, test } from 'vitest'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'
import { textOf } from './page.tsx'

const house = useHouse()

/** More than one connection may have sessions. */
const CHATS = 120

test('one page goes through many chats, for as long as it likes; what is still observed is told on', async () => {
  const ids: string[] = []
  for (let n = 0; n < CHATS; n++) ids.push(await house.newSession())
  const [first = ''] = ids
  const say = (id: string, text: string) =>
    house.ask('POST', `/sessions/${id}/inputs`, {
      mode: 'queue',
      parts: [{ type: 'text', text }],
    })
  await say(first, 'Hello')
  const storage = { local: null, tab: null }
  const token = (): Promise<string> => house.token()
  const transport = new SessionChatTransport({ url: house.server.url, token, storage })
  onTestFinished(() => transport.close())
  let shown: string[] = []
  onTestFinished(transport.observe(first, (messages) => (shown = messages.map(textOf))))
  for (const id of ids) await transport.loadMessages(id)
  await until('the first is shown', () => shown.length === 1)
  await say(first, 'Still there?')
  await until('the first is told on', () => shown.length === 2)
  expect(shown).toEqual(['Hello', 'Still there?'])
  const [, second = ''] = ids
  await say(second, 'And this one')
  await expect
    .poll(async () => (await transport.loadMessages(second)).map(textOf))
    .toEqual(['And this one'])
}, 60_000)
