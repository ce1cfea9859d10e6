import { describe, expect, test } from 'vitest'
import { useTwoNodes } from '../../support/two-nodes.ts'
import { until } from '../../support/until.ts'
import { FACES } from './faces.ts'
import { Chat, Pace, serveSession } from './kit.ts'

describe.each(FACES)('$name over two nodes', (face) => {
  const nodes = useTwoNodes()

  test(
    'follows on one what an agent says on the other, and goes on there when its own goes down [P-18.4] [R14]',
    { timeout: 60_000 },
    async () => {
      const pace = new Pace('said over there, heard over here, and the other way round. ')
      const serving = await serveSession(nodes.there.url, nodes.there.key, 'across', (run) =>
        pace.say(run),
      )
      const chat = new Chat('across', face.transport(nodes.here.url, nodes.here.key))
      const observer = new Chat('across', face.transport(nodes.there.url, nodes.there.key))
      const sent = chat.sendMessage({ text: 'go' })
      pace.allow(4)
      await until('the words are here', () => chat.text === pace.upTo(4))
      const observed = observer.resumeStream()
      await nodes.here.drain()
      await sent
      expect(chat.status).toBe('error')
      const moved = new Chat(
        'across',
        face.transport(nodes.there.url, nodes.there.key),
        chat.messages,
      )
      const resumed = moved.resumeStream()
      await until('it follows there', () => moved.status === 'streaming')
      pace.allowAll()
      await Promise.all([resumed, observed])
      expect(moved.lines).toEqual(['user: go', `assistant: ${pace.text}`])
      expect(observer.text).toBe(pace.text)
      await serving.stop()
    },
  )
})
