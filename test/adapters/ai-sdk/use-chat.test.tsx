// @vitest-environment jsdom
import { describe, expect, test } from 'vitest'
import { until } from '../../support/until.ts'
import { TEXT, uiText, useHouse, WORDS } from './house.ts'
import { HOOKS, openPage, textOf } from './page.tsx'

const house = useHouse()
const within = { timeout: 60_000 }

describe.each(HOOKS)('useChat of %s over a session [S3-10] [S4-09]', (_name, version, useChat) => {
  /** An agent that says a word whenever it is let, up to so many; and how often it began. */
  const slowly = (id: string) => {
    const state = { allowed: 0, runs: 0 }
    house.agent(id, (run) => {
      state.runs++
      const next = (index: number) =>
        until('it may go on', () => index < state.allowed || run.signal.aborted)
      return run.pipe(uiText(next))
    })
    return state
  }
  const at = (words: number): string => WORDS.slice(0, words).join(' ')
  const all = WORDS.length
  const statusesOf = async (id: string) => {
    const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
    return (runs as readonly { readonly status: string }[]).map(({ status }) => status)
  }

  test(
    'a text arrives whole, once, without an error, over three cut sockets and a restart of the server, and a second page has the same [R3]',
    within,
    async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const page = await openPage(useChat, id, house.transport({ version }))
      const other = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      for (const [index, words] of [10, 20, 30].entries()) {
        agent.allowed = words
        await page.shows('Tell me', at(words))
        house.proxy.cut(index === 1 ? 'end' : 'reset')
      }
      await other.shows('Tell me', at(30))
      expect(page.now().status).toBe('streaming')
      await house.server.restart()
      agent.allowed = 40
      await page.shows('Tell me', at(40))
      agent.allowed = all
      await page.shows('Tell me', TEXT)
      await page.is('ready')
      await other.shows('Tell me', TEXT)
      expect([page.errors, other.errors]).toEqual([[], []])
      const ids = (one: typeof page) => one.now().messages.map((message) => message.id)
      expect(ids(page)).toEqual(ids(other))
      expect(page.now().messages[1]?.parts).toEqual(other.now().messages[1]?.parts)
      expect(agent.runs).toBe(1)
    },
  )

  test('what is sent while there is no network arrives once there is one', within, async () => {
    const id = await house.newSession()
    const agent = slowly(id)
    agent.allowed = all
    const page = await openPage(useChat, id, house.transport({ version }))
    await page.is('ready')
    house.proxy.mode = 'refuse'
    house.proxy.cut()
    void page.now().sendMessage({ text: 'Hello?' })
    await page.is('submitted')
    house.proxy.mode = 'pass'
    await page.shows('Hello?', TEXT)
    expect(page.errors).toEqual([])
    expect(agent.runs).toBe(1)
  })

  test(
    'leaving the page stops nothing, and a new page in the middle of the answer goes on with it',
    within,
    async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const page = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      agent.allowed = 10
      await page.shows('Tell me', at(10))
      await page.unmount()
      agent.allowed = 20
      const transport = house.transport({ version })
      const messages = await transport.loadMessages(id)
      const again = await openPage(useChat, id, transport, { messages, strict: true })
      await again.shows('Tell me', at(20))
      await again.is('streaming')
      agent.allowed = all
      await again.shows('Tell me', TEXT)
      await again.is('ready')
      expect(again.errors).toEqual([])
      expect(await statusesOf(id)).toEqual(['finished'])
    },
  )

  test(
    'a stop of the chat only stops watching; a stop of the transport stops the agent, and the answer ends where it is',
    within,
    async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const transport = house.transport({ version })
      const page = await openPage(useChat, id, transport, { observe: false })
      const other = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'Tell me' })
      agent.allowed = 10
      await page.shows('Tell me', at(10))
      await page.now().stop()
      await page.is('ready')
      agent.allowed = 20
      await other.shows('Tell me', at(20))
      expect(page.said()).toEqual(['Tell me', at(10)])
      // Resumed and stopped at once: both are done.
      const resumed = page.now().resumeStream()
      await page.shows('Tell me', at(20))
      await transport.stop(id)
      await resumed
      await page.is('ready')
      expect(await statusesOf(id)).toEqual(['cancelled'])
      expect([page.said(), other.said()]).toEqual([
        ['Tell me', at(20)],
        ['Tell me', at(20)],
      ])
      expect(page.errors).toEqual([])
    },
  )

  test('with `cancelOnAbort` a stop of the chat stops the agent', within, async () => {
    const id = await house.newSession()
    const agent = slowly(id)
    const transport = house.transport({ version, cancelOnAbort: true })
    const page = await openPage(useChat, id, transport)
    await page.is('ready')
    void page.now().sendMessage({ text: 'Tell me' })
    agent.allowed = 10
    await page.shows('Tell me', at(10))
    await page.now().stop()
    await until('it is cancelled', async () => (await statusesOf(id))[0] === 'cancelled')
    expect(page.errors).toEqual([])
  })

  test(
    'three resumes at once show the answer once, and one with nothing to resume leaves the chat ready',
    within,
    async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      const first = await openPage(useChat, id, house.transport({ version }))
      await first.is('ready')
      void first.now().sendMessage({ text: 'Tell me' })
      agent.allowed = 10
      await first.shows('Tell me', at(10))
      const page = await openPage(useChat, id, house.transport({ version }), { observe: false })
      const resumes = [1, 2, 3].map(() => page.now().resumeStream())
      await until('it streams', () => page.said().includes(at(10)))
      agent.allowed = all
      await Promise.all(resumes)
      await page.shows(TEXT)
      await page.now().resumeStream()
      await page.is('ready')
      expect([page.said(), page.errors]).toEqual([[TEXT], []])
    },
  )

  test('a page that observes sees what another page asks and is answered', within, async () => {
    const id = await house.newSession()
    const agent = slowly(id)
    // A resume at the beginning might find what the other one asks.
    const watching = { more: { resume: false } }
    const page = await openPage(useChat, id, house.transport({ version }), watching)
    const other = await openPage(useChat, id, house.transport({ version }), watching)
    await page.is('ready')
    for (const [index, question] of ['First', 'Second'].entries()) {
      agent.allowed = 0
      const asking = index === 0 ? page : other
      const seeing = index === 0 ? other : page
      void asking.now().sendMessage({ text: question })
      await until('it is seen', () => seeing.said().includes(question))
      expect(seeing.now().status).toBe('ready')
      agent.allowed = 10
      await until('its answer grows', () => seeing.said().at(-1) === at(10))
      agent.allowed = all
      await until('its answer is whole', () => seeing.said().at(-1) === TEXT)
      await asking.is('ready')
    }
    expect([page.said(), page.errors, other.errors]).toEqual([
      ['First', TEXT, 'Second', TEXT],
      [],
      [],
    ])
  })

  test(
    'an answer that is regenerated, and a message that is edited, become branches; the same again starts nothing',
    within,
    async () => {
      const id = await house.newSession()
      let answers = 0
      house.agent(id, (run) => run.text(`answer ${++answers}`))
      const transport = house.transport({ version })
      const page = await openPage(useChat, id, transport)
      await page.is('ready')
      await page.now().sendMessage({ text: 'One' })
      await page.shows('One', 'answer 1')
      await page.now().regenerate()
      await page.shows('One', 'answer 2')
      const first = page.now().messages[0]?.id ?? ''
      await page.now().sendMessage({ text: 'Other', messageId: first })
      await page.shows('Other', 'answer 3')
      await page.now().sendMessage({ text: 'More' })
      await page.shows('Other', 'answer 3', 'More', 'answer 4')
      await page.now().regenerate()
      await page.shows('Other', 'answer 3', 'More', 'answer 5')
      expect(page.errors).toEqual([])
      const said = await house.ask('GET', `/sessions/${id}/messages`)
      const messages = said['messages'] as readonly {
        readonly id: string
        readonly parent: string | null
        readonly parts: { readonly type: string; readonly text: string }[]
      }[]
      const text = new Map(
        messages.map((one) => [one.id, one.parts.map((part) => part.text).join('')]),
      )
      expect(messages.map((one) => [text.get(one.id), text.get(one.parent ?? '')])).toEqual([
        ['One', undefined],
        ['answer 1', 'One'],
        ['answer 2', 'One'],
        ['Other', undefined],
        ['answer 3', 'Other'],
        ['More', 'answer 3'],
        ['answer 4', 'More'],
        ['answer 5', 'More'],
      ])
      // The same message once more, as after an answer that was lost.
      const again = await transport.sendMessages({
        trigger: 'submit-message',
        chatId: id,
        messageId: undefined,
        messages: page.now().messages.slice(0, 3),
        abortSignal: undefined,
      })
      for await (const _chunk of again);
      expect(answers).toBe(5)
    },
  )

  test(
    'what is asked in the moment in which a page looks at another branch stays in the chat, and is answered',
    within,
    async () => {
      const id = await house.newSession()
      const answers: string[] = []
      house.agent(id, (run) => {
        answers.push(`answer ${answers.length + 1}`)
        return run.text(answers.at(-1) ?? '')
      })
      const page = await openPage(useChat, id, house.transport({ version }))
      await page.is('ready')
      await page.now().sendMessage({ text: 'One' })
      await page.shows('One', 'answer 1')
      const answer = page.now().messages[1]?.id ?? ''
      await page.now().regenerate()
      await page.shows('One', 'answer 2')
      page.look(answer)
      await page.shows('One', 'answer 1')
      const first = page.now().messages[0]?.id ?? ''
      page.look(null)
      await page.now().sendMessage({ text: 'Other', messageId: first })
      await page.shows('Other', 'answer 3')
      page.look(answer)
      await page.shows('One', 'answer 1')
      page.look(null)
      await page.now().regenerate({ messageId: answer })
      await page.is('ready')
      await page.shows('One', 'answer 4')
      expect(page.errors).toEqual([])
    },
  )

  test('an agent that fails is an error of the chat, which goes on', within, async () => {
    const id = await house.newSession()
    let answers = 0
    house.agent(id, (run) => {
      if (++answers === 1) throw new Error('out of tea')
      return run.text('here')
    })
    const page = await openPage(useChat, id, house.transport({ version }), { observe: false })
    await page.is('ready')
    await page.now().sendMessage({ text: 'Tea' })
    await page.is('error')
    expect(page.errors.map(String)).toEqual(['Error: out of tea'])
    await page.now().sendMessage({ text: 'Tea' })
    await page.shows('Tea', 'Tea', 'here')
    expect(page.now().messages.map(textOf)).toEqual(page.said())
  })

  test(
    'a resume finds an answer that begins after an earlier one, and one of which the page has a part already',
    within,
    async () => {
      const id = await house.newSession()
      const agent = slowly(id)
      agent.allowed = all
      const first = await openPage(useChat, id, house.transport({ version }))
      await first.is('ready')
      await first.now().sendMessage({ text: 'First' })
      await first.shows('First', TEXT)
      agent.allowed = 10
      const transport = house.transport({ version })
      const messages = await transport.loadMessages(id)
      void first.now().sendMessage({ text: 'Second' })
      await first.shows('First', TEXT, 'Second', at(10))
      // The page was left before the second question, and in the middle of its answer.
      const before = await openPage(useChat, id, transport, { messages, observe: false })
      const middle = house.transport({ version })
      const part = await middle.loadMessages(id)
      const within = await openPage(useChat, id, middle, { messages: part, observe: false })
      agent.allowed = all
      await before.shows('First', TEXT, TEXT)
      await within.shows('First', TEXT, 'Second', TEXT)
      await before.is('ready')
      await within.is('ready')
      expect([before.errors, within.errors]).toEqual([[], []])
    },
  )

  test(
    'a reload while the input of a tool is being written shows the call once',
    within,
    async () => {
      const id = await house.newSession()
      const state = { go: false }
      house.agent(id, async (run) => {
        async function* chunks() {
          yield* [{ type: 'start' }, { type: 'start-step' }]
          yield { type: 'tool-input-start', toolCallId: 'c1', toolName: 'look' }
          yield { type: 'tool-input-delta', toolCallId: 'c1', inputTextDelta: '{"at":' }
          await until('it may go on', () => state.go)
          yield { type: 'tool-input-delta', toolCallId: 'c1', inputTextDelta: '"sea"}' }
          const input = { at: 'sea' }
          yield { type: 'tool-input-available', toolCallId: 'c1', toolName: 'look', input }
          yield { type: 'tool-output-available', toolCallId: 'c1', output: 'blue' }
          yield* [{ type: 'finish-step' }, { type: 'finish', finishReason: 'stop' }]
        }
        await run.pipe(chunks())
      })
      const first = await openPage(useChat, id, house.transport({ version }))
      await first.is('ready')
      void first.now().sendMessage({ text: 'Look' })
      await until('it begins', () => first.now().messages[1]?.parts.length === 2)
      const transport = house.transport({ version })
      const messages = await transport.loadMessages(id)
      const page = await openPage(useChat, id, transport, { messages, observe: false })
      await page.is('streaming')
      state.go = true
      await until('it is done', () => JSON.stringify(page.now().messages).includes('blue'))
      await page.is('ready')
      expect(page.now().messages[1]?.parts).toMatchObject([
        { type: 'step-start' },
        { type: 'tool-look', state: 'output-available', input: { at: 'sea' }, output: 'blue' },
      ])
      expect([first.errors, page.errors]).toEqual([[], []])
    },
  )

  test(
    'an edit in the same words, before anybody answers, is the same message',
    within,
    async () => {
      const id = await house.newSession()
      const page = await openPage(useChat, id, house.transport({ version }), { observe: false })
      const received = async () =>
        (await house.events(id)).filter(({ type }) => type === 'input.received').length
      await page.is('ready')
      void page.now().sendMessage({ text: 'Hello' })
      await until('it is there', async () => (await received()) === 1)
      await page.now().stop()
      await page.is('ready')
      const messageId = page.now().messages[0]?.id ?? ''
      void page.now().sendMessage({ text: 'Hello', messageId })
      await page.is('submitted')
      house.agent(id, (run) => run.text('Hello to you'))
      await page.shows('Hello', 'Hello to you')
      expect([await received(), page.errors]).toEqual([1, []])
    },
  )

  test(
    'a run whose agent is gone is an error when nobody has taken it over for a while',
    within,
    async () => {
      const id = await house.newSession()
      const page = await openPage(useChat, id, house.transport({ version, lostMs: 100 }))
      await page.is('ready')
      void page.now().sendMessage({ text: 'Anybody?' })
      let trigger: string | undefined
      await until('it waits', async () => {
        const { inputs } = await house.ask('GET', `/sessions/${id}/inputs`)
        trigger = (inputs as readonly { readonly id: string }[])[0]?.id
        return trigger !== undefined
      })
      // Nothing is heard of it again.
      await house.ask('POST', `/sessions/${id}/runs`, { trigger, leaseMs: 5000 })
      await page.is('error')
      expect(page.errors.map(String)).toEqual(['Error: The agent was lost.'])
    },
  )

  test('a session that is not there is an error of the chat', within, async () => {
    const page = await openPage(useChat, 'chat-nowhere', house.transport({ version }), {
      observe: false,
      more: { resume: false },
    })
    await page.now().sendMessage({ text: 'Hello' })
    await page.is('error')
    expect(page.errors[0]).toMatchObject({ code: 'session_not_found' })
  })
})

test(
  'the queue of AI SDK 7 sends what waits in the page after each answer [S3-10]',
  within,
  async () => {
    const [[, version, useChat]] = HOOKS
    const id = await house.newSession()
    const gate = { open: false }
    let answers = 0
    house.agent(id, async (run) => {
      await until('it may go on', () => gate.open)
      await run.text(`answer ${++answers}`)
    })
    const page = await openPage(useChat, id, house.transport({ version }), {
      more: { experimental_queue: true },
    })
    await page.is('ready')
    void page.now().sendMessage({ text: 'One' })
    void page.now().sendMessage({ text: 'Two' })
    await until('it waits', () => page.now().experimental_queuedMessages.length === 1)
    gate.open = true
    await page.shows('One', 'answer 1', 'Two', 'answer 2')
    expect(page.errors).toEqual([])
  },
)
