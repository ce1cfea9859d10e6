import { afterAll, describe, expect, test } from 'vitest'
import { serveSession, type Serving } from './compat/ai-sdk/kit.ts'
import { readPage } from './support/docs-example.ts'
import { IMPORT_UNTIL, useExamples } from './support/run-examples.ts'

const page = readPage('docs/ai-sdk-faces.md')
const { example } = page
const AI_6 = '../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/index.mjs'

/** A page in jsdom that has a chat, sends, and says what it shows. */
const PAGE = `
  ${IMPORT_UNTIL}
  import { JSDOM } from 'jsdom'
  const { window } = new JSDOM('<div id="root"></div>', { pretendToBeVisual: true, url: 'http://127.0.0.1' })
  for (const name of ['window', 'document']) globalThis[name] = name === 'window' ? window : window.document
  const { createElement } = await import('react')
  const { createRoot } = await import('react-dom/client')
  const post = async (path, body) => {
    const response = await fetch(process.env.HELDLINE_URL + path, {
      method: 'POST',
      headers: { authorization: 'Bearer ' + process.env.HELDLINE_KEY, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return response.json()
  }
  const fetchTokenFromYourBackend = async () => {
    const capabilities = ['send', 'subscribe', 'history', 'create']
    return (await post('/v1/tokens', { subject: 'ada', sessions: ['docs-*'], capabilities, ttlMs: 60000 })).token
  }
  const fetchTicketFromYourBackend = async () => (await post('/v1/tickets', {})).ticket
  let chat = null
  const show = async (use) => {
    const root = createRoot(window.document.querySelector('#root'))
    root.render(createElement(() => ((chat = use()), null)))
    await until('the page shows it', () => chat !== null)
    return () => root.unmount()
  }
  // More than a request may be.
  const LONG = [{ id: 'long', role: 'user', parts: [{ type: 'text', text: 'long '.repeat(1024 * 1024) }] }]
  const said = () => chat.messages.map(({ parts }) => parts.map(({ text = '' }) => text).join(''))
`

describe('the examples of docs/ai-sdk-faces.md do what they say', () => {
  const serving: Serving[] = []
  // The last to be asked to is the first to end: these, then their server.
  const examples = useExamples(page)
  afterAll(() => Promise.all(serving.map((one) => one.stop())))

  const run = async (program: string): Promise<unknown> => JSON.parse(await examples.node(program))

  async function serve(session: string): Promise<void> {
    const { server } = examples
    const one = await serveSession(server.url, server.key, session, async (given, turn) => {
      await given.text(`answer ${turn}`)
      // The second one goes on until somebody stops it.
      if (turn === 2)
        await new Promise((resolve) => given.signal.addEventListener('abort', resolve))
    })
    serving.push(one)
  }

  test(
    'over HTTP: a message is answered, a page begins with it, and an answer is stopped [P-18.2] [P-18.5] [P-18.6]',
    { timeout: 30_000 },
    async () => {
      await serve('docs-http')
      const result = await run(`
      ${example('http')}
      ${PAGE}
      const leave = await show(() => useTalk('docs-http', LONG))
      await chat.sendMessage({ text: 'one' })
      await until('the page shows it', () => chat.status === 'ready' && said()[2] === 'answer 1')
      void chat.sendMessage({ text: 'two' })
      await until('the page shows it', () => said()[4] === 'answer 2')
      leave()
      chat = null
      const messages = await loadMessages('docs-http')
      await show(() => useTalk('docs-http', messages))
      await until('the page shows it', () => chat.status === 'streaming')
      await stopAnswer('docs-http')
      await until('the page shows it', () => chat.status === 'ready')
      console.log(JSON.stringify({ said: said(), unknown: await loadMessages('docs-none') }))
      process.exit(0)
    `)
      expect(result).toEqual({ said: ['one', 'answer 1', 'two', 'answer 2'], unknown: [] })
    },
  )

  test(
    'over HTTP with AI SDK 6: a page that is left in the middle of an answer has it once when it is back [P-18.9]',
    { timeout: 30_000 },
    async () => {
      await serve('docs-six')
      const ofSix = example('six')
        .replace('@ai-sdk/react', '@ai-sdk/react-v6')
        .replace("'ai'", `'${import.meta.resolve(AI_6)}'`)
      const result = await run(`
      ${ofSix}
      ${PAGE}
      const leave = await show(() => useTalk('docs-six', []))
      await chat.sendMessage({ text: 'one' })
      await until('the page shows it', () => chat.status === 'ready' && said()[1] === 'answer 1')
      void chat.sendMessage({ text: 'two' })
      await until('the page shows it', () => said()[3] === 'answer 2')
      const { messages } = chat
      leave()
      chat = null
      await show(() => useTalk('docs-six', messages))
      await until('the page shows it', () => chat.status === 'streaming')
      console.log(JSON.stringify(said()))
      process.exit(0)
    `)
      expect(result).toEqual(['one', 'answer 1', 'two', 'answer 2'])
    },
  )

  test(
    'over a WebSocket: a message is answered, and one of before is shown [P-18.7]',
    { timeout: 30_000 },
    async () => {
      await serve('docs-socket')
      const result = await run(`
      ${example('socket')}
      ${PAGE}
      await show(() => useTalk('docs-socket', LONG))
      await chat.sendMessage({ text: 'one' })
      await until('the page shows it', () => chat.status === 'ready' && said()[2] === 'answer 1')
      console.log(JSON.stringify(said().slice(1)))
      process.exit(0)
    `)
      expect(result).toEqual(['one', 'answer 1'])
    },
  )
})

test('every example that the page marks is run here', () => {
  expect(page.names).toEqual(['http', 'six', 'socket'])
})
