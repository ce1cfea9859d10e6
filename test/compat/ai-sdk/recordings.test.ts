import type { UIMessage } from 'ai'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { shownDirectly, streamOf, testRecorded } from '../../support/recorded.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { FACES } from './faces.ts'
import { apiOf, Chat, serveSession } from './kit.ts'

let server: LocalServer
let proxy: TcpProxy

beforeAll(async () => {
  server = await startLocalServer()
  proxy = await startProxy(Number(new URL(server.url).port))
})
afterAll(async () => {
  await proxy?.close()
  await server?.close()
})

/** As JSON has it, without the id, which is the session's. */
function contentOf(message: UIMessage | undefined): unknown {
  const { id: _, ...content } = JSON.parse(JSON.stringify(message)) as UIMessage
  return content
}

describe.each(FACES)(
  'a real answer, through its provider’s package, a session and the unmodified $name [P-18.4] [R3]',
  (face) => {
    testRecorded(
      '%s is the same message as without a session, over cut sockets, and after a reload',
      { timeout: 60_000 },
      async (answer) => {
        const session = `${face.name}-${answer.index}`
        const [mine, reference] = answer.chunks().tee()
        const direct = shownDirectly(reference)
        const chat = new Chat(
          session,
          face.transport(`http://127.0.0.1:${proxy.port}`, server.key, server.url),
        )
        let running: Promise<void> = Promise.resolve()
        let cuts = 0
        /** The whole answer waits for the client, three times: so it is cut while it follows, and not after the end. */
        async function* withCuts(): AsyncGenerator {
          let count = 0
          for await (const chunk of streamOf(mine)) {
            yield chunk
            if (++count % 10 !== 0 || cuts === 3) continue
            cuts++
            await until('the client follows', () => chat.status === 'streaming')
            proxy.cut()
            await running
            running = chat.resumeStream()
            await until('it follows again', () => chat.status === 'streaming')
          }
        }
        const serving = await serveSession(server.url, server.key, session, async (run) => {
          await run.pipe(withCuts())
        })
        try {
          running = chat.sendMessage({ text: 'as recorded' })
          const expected = contentOf(await direct)
          await until('it is whole', async () => {
            await running
            return chat.status === 'ready'
          })
          expect(contentOf(chat.messages[1])).toEqual(expected)
          expect(chat.messages).toHaveLength(2)
          const { messages } = await apiOf(server.url, server.key).ask(
            'GET',
            `/compat/ai-sdk/chat/${session}/messages`,
          )
          expect(contentOf((messages as UIMessage[])[1])).toEqual(expected)
          expect((messages as UIMessage[])[1]?.id).toBe(chat.messages[1]?.id)
        } finally {
          await serving.stop()
        }
      },
    )
  },
)
