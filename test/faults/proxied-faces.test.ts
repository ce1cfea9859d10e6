import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FACES } from '../compat/ai-sdk/faces.ts'
import { Chat, Pace, serveSession } from '../compat/ai-sdk/kit.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { pause, until } from '../support/until.ts'
import { BOTH, BUFFERS, KINDS, LACKING, NGINX, start } from './proxy-stage.ts'

const IDLE_MS = 4000
const SILENCE_MS = IDLE_MS * 2.25

if (!BOTH) test.skip(LACKING)

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess({ HEARTBEAT_MS: `${IDLE_MS / 4}` })
})
afterAll(() => server?.stop())

type Ended = (work: () => void | Promise<void>) => void

/** An agent that waits, and then says a word whenever it is let. */
async function slowly(session: string, waitMs: number, ended: Ended): Promise<Pace> {
  const pace = new Pace('said at last, word by word.')
  const serving = await serveSession(server.url, API_KEY, session, async (run) => {
    await pause(waitMs)
    await pace.say(run)
  })
  ended(() => serving.stop())
  return pace
}

const cases = KINDS.flatMap((kind) => FACES.map((face) => ({ kind, face })))

describe.skipIf(!BOTH)('a chat of the AI SDK behind a proxy, with its own transport', () => {
  // At once, since they only wait.
  test.concurrent.for(cases)(
    `$kind.name that cuts what is silent for ${IDLE_MS / 1000} s cuts no $face.name in a silence twice as long, and holds no word back [P-18.4] [P-18.7] (S0-04, S3-09)`,
    { timeout: 120_000 },
    async ({ kind, face }, { onTestFinished: ended }) => {
      const proxy = await start(kind, server.port, { '60s': `${IDLE_MS}ms` }, ended)
      const session = `silent-${kind.name}-${face.name}`
      const pace = await slowly(session, SILENCE_MS, ended)
      const chat = new Chat(session, face.transport(proxy.url, API_KEY, server.url))
      const sent = chat.sendMessage({ text: 'anything?' })
      for (let words = 1; words < pace.words.length; words++) {
        pace.allow(words)
        await until('the word is there', () => chat.text === pace.upTo(words))
      }
      expect(chat.status).toBe('streaming')
      pace.allowAll()
      await sent
      expect({ lines: chat.lines, status: chat.status, errors: chat.errors }).toEqual({
        lines: ['user: anything?', `assistant: ${pace.text}`],
        status: 'ready',
        errors: [],
      })
    },
  )

  test.concurrent.for(KINDS)(
    '$name that would hold answers back lets a DefaultChatTransport have each word as it is said: the answer asks for it [P-18.4] (S4-04)',
    async (kind, { onTestFinished: ended }) => {
      const squeezed = {
        'balance leastconn':
          'balance leastconn\n  compression algo gzip\n  compression type text/event-stream application/json',
      }
      const proxy = await start(kind, server.port, kind === NGINX ? BUFFERS : squeezed, ended)
      const session = `held-${kind.name}`
      const pace = await slowly(session, 0, ended)
      const [face] = FACES
      if (face === undefined) throw new Error('there is no face')
      const chat = new Chat(session, face.transport(proxy.url, API_KEY))
      const sent = chat.sendMessage({ text: 'word by word?' })
      for (let words = 1; words < pace.words.length; words++) {
        pace.allow(words)
        await until('the word is there', () => chat.text === pace.upTo(words))
      }
      pace.allowAll()
      await sent
      expect(chat.errors).toEqual([])
      expect(chat.text).toBe(pace.text)
    },
  )
})
