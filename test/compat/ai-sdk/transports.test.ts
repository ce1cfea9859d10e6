import type { UIMessage } from 'ai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Run } from '../../../src/agent/index.ts'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { FACES } from './faces.ts'
import { apiOf, Chat, Pace, serveSession, textOf, type Api, type Serving } from './kit.ts'

let server: LocalServer
let proxy: TcpProxy
let api: Api
let sessions = 0
const serving: Serving[] = []

beforeAll(async () => {
  server = await startLocalServer()
  proxy = await startProxy(Number(new URL(server.url).port))
  api = apiOf(server.url, server.key)
})

afterEach(async () => {
  await Promise.all(serving.splice(0).map((one) => one.stop()))
})

afterAll(async () => {
  await proxy?.close()
  await server?.close()
  expect(server.errors).toEqual([])
})

interface Listed {
  readonly id: string
  readonly trigger: string
  readonly status: string
}

async function runsOf(session: string): Promise<readonly Listed[]> {
  const { runs } = await api.ask('GET', `/v1/sessions/${session}/runs`)
  return runs as Listed[]
}

async function hydrated(session: string): Promise<UIMessage[]> {
  const { messages } = await api.ask('GET', `/compat/ai-sdk/chat/${session}/messages`)
  return messages as UIMessage[]
}

async function serve(session: string, act: (run: Run, turn: number) => unknown): Promise<Serving> {
  const one = await serveSession(server.url, server.key, session, act)
  serving.push(one)
  return one
}

const question = (id: string, text: string): UIMessage => ({
  id,
  role: 'user',
  parts: [{ type: 'text', text }],
})

describe.each(FACES)('the unmodified $name', { timeout: 60_000 }, (face) => {
  const newSession = (): string => `chat-${++sessions}`
  const direct = () => face.transport(server.url, server.key)
  const proxied = () => face.transport(`http://127.0.0.1:${proxy.port}`, server.key, server.url)

  test('streams what the agent says, word by word [P-18.2] [P-18.4]', async () => {
    const session = newSession()
    const pace = new Pace('The line is held. ')
    await serve(session, (run) => pace.say(run))
    const chat = new Chat(session, direct())
    const sent = chat.sendMessage({ text: 'hello' })
    pace.allow(2)
    await until('two words are there', () => chat.text === 'The line ')
    expect(chat.status).toBe('streaming')
    pace.allowAll()
    await sent
    expect(chat.lines).toEqual(['user: hello', `assistant: ${pace.text}`])
    expect({ status: chat.status, errors: chat.errors }).toEqual({ status: 'ready', errors: [] })
    // What it keeps is what somebody who comes later begins with.
    expect(await hydrated(session)).toEqual(
      chat.messages.map((message) =>
        expect.objectContaining({ id: message.id, role: message.role }),
      ),
    )
  })

  test('has the text whole and once after its sockets were killed three times, and so has a second device [P-18.4] [R2] [R3]', async () => {
    const session = newSession()
    const pace = new Pace('one two three four five six seven eight ')
    await serve(session, (run) => pace.say(run))
    const chat = new Chat(session, proxied())
    const other = new Chat(session, direct())
    let running = chat.sendMessage({ text: 'count' })
    await until('the run is there', async () => (await runsOf(session)).length === 1)
    const watching = other.resumeStream()
    for (const words of [2, 4, 6]) {
      pace.allow(words)
      await until('the words have come', () => chat.text === pace.upTo(words))
      proxy.cut()
      await running
      expect(chat.status).toBe('error')
      running = chat.resumeStream()
      await until('it follows again', () => chat.status === 'streaming')
    }
    pace.allowAll()
    await Promise.all([running, watching])
    expect(chat.lines).toEqual(['user: count', `assistant: ${pace.text}`])
    expect(chat.status).toBe('ready')
    expect(other.lines).toEqual([`assistant: ${pace.text}`])
    expect(other.messages.at(-1)?.id).toBe(chat.messages.at(-1)?.id)
    // A lost connection is never a cancel.
    expect(await runsOf(session)).toMatchObject([{ status: 'finished' }])
  })

  test('goes on after a reload, from the messages that it is given [P-18.5]', async () => {
    const session = newSession()
    const pace = new Pace('again and again ')
    await serve(session, (run) => pace.say(run))
    const before = new Chat(session, proxied())
    const sent = before.sendMessage({ text: 'go' })
    pace.allow(2)
    await until('two words are there', () => before.text === pace.upTo(2))
    proxy.cut()
    await sent
    const after = new Chat(session, direct(), await hydrated(session))
    expect(after.lines).toEqual(['user: go', `assistant: ${pace.upTo(2)}`])
    const resumed = after.resumeStream()
    await until('it follows', () => after.status === 'streaming')
    pace.allowAll()
    await resumed
    expect(after.lines).toEqual(['user: go', `assistant: ${pace.text}`])
  })

  test('is the same for whoever comes at any word of it [P-18.4] [R2]', async () => {
    const session = newSession()
    const words = Array.from({ length: 30 }, (_, n) => `word${n} `).join('')
    const pace = new Pace(words)
    await serve(session, (run) => pace.say(run))
    const sender = new Chat(session, direct())
    const following = [sender.sendMessage({ text: 'go' })]
    const chats = [sender]
    for (let n = 1; n < pace.words.length; n++) {
      pace.allow(n)
      await until('the word is said', () => sender.text === pace.upTo(n))
      const chat = new Chat(session, direct(), await hydrated(session))
      following.push(chat.resumeStream())
      await until('it follows', () => chat.status === 'streaming')
      chats.push(chat)
    }
    pace.allowAll()
    await Promise.all(following)
    for (const chat of chats) expect(chat.lines).toEqual(['user: go', `assistant: ${words}`])
  })

  test('has the whole answer also where it comes back after its end, if it asks for the latest [P-18.4]', async () => {
    const session = newSession()
    const pace = new Pace('too late to follow ')
    await serve(session, (run) => pace.say(run))
    const chat = new Chat(session, proxied())
    const sent = chat.sendMessage({ text: 'go' })
    pace.allow(2)
    await until('two words are there', () => chat.text === pace.upTo(2))
    proxy.cut()
    await sent
    pace.allowAll()
    await until('the run is over', async () => (await runsOf(session))[0]?.status === 'finished')
    await chat.resumeStream()
    expect({ status: chat.status, text: chat.text }).toEqual({
      status: 'ready',
      text: pace.upTo(2),
    })
    const asking = new Chat(session, face.lasting(server.url, server.key), chat.messages)
    await asking.resumeStream()
    expect(asking.lines).toEqual(['user: go', `assistant: ${pace.text}`])
    expect(asking.status).toBe('ready')
  })

  test('is ready where nothing is being answered [P-18.4]', async () => {
    const session = newSession()
    const before = new Chat(session, direct())
    await before.resumeStream()
    expect({ status: before.status, messages: before.messages }).toEqual({
      status: 'ready',
      messages: [],
    })
    const pace = new Pace('done ')
    pace.allowAll()
    await serve(session, (run) => pace.say(run))
    await before.sendMessage({ text: 'once' })
    await until('the run is over', async () => (await runsOf(session))[0]?.status === 'finished')
    const after = new Chat(session, direct(), await hydrated(session))
    await after.resumeStream()
    expect(after.status).toBe('ready')
    expect(after.lines).toEqual(['user: once', 'assistant: done '])
  })

  test('waits where nobody answers yet, also who comes later, and is told once somebody does [P-18.4]', async () => {
    const session = newSession()
    const chat = new Chat(session, direct())
    const sent = chat.sendMessage({ text: 'anybody?' })
    await until('the input waits', async () => {
      const { inputs } = await api
        .ask('GET', `/v1/sessions/${session}/inputs`)
        .catch(() => ({ inputs: [] }))
      return (inputs as unknown[]).length === 1
    })
    const later = new Chat(session, direct(), await hydrated(session))
    const resumed = later.resumeStream()
    await until('it waits, too', () => later.status === 'submitted')
    expect(chat.status).toBe('submitted')
    const pace = new Pace('here ')
    pace.allowAll()
    await serve(session, (run) => pace.say(run))
    await Promise.all([sent, resumed])
    expect(chat.lines).toEqual(['user: anybody?', 'assistant: here '])
    expect(later.lines).toEqual(chat.lines)
  })

  test('starts one run where the same message is sent again [P-18.2]', async () => {
    const session = newSession()
    const pace = new Pace('only once ')
    await serve(session, (run) => pace.say(run))
    const first = new Chat(session, proxied())
    const sent = first.sendMessage(question('u1', 'retry me'))
    pace.allow(1)
    await until('a word is there', () => first.text === 'only ')
    proxy.cut()
    await sent
    const again = new Chat(session, direct())
    const resent = again.sendMessage(question('u1', 'retry me'))
    pace.allowAll()
    await resent
    // Also when the run is long over.
    const late = new Chat(session, direct())
    await late.sendMessage(question('u1', 'retry me'))
    for (const chat of [again, late]) expect(chat.text).toBe(pace.text)
    expect(await runsOf(session)).toMatchObject([{ trigger: 'u1' }])
    expect((await hydrated(session)).map(textOf)).toEqual(['retry me', pace.text])
  })

  test('edits a message: what was said before is another branch [P-18.3]', async () => {
    const session = newSession()
    await serve(session, async (run, turn) => run.text(`answer ${turn}`))
    const chat = new Chat(session, direct())
    await chat.sendMessage({ text: 'first' })
    await chat.sendMessage({ text: 'secnd' })
    const messageId = chat.messages[2]?.id ?? ''
    await chat.sendMessage({ text: 'second', messageId })
    const lines = ['user: first', 'assistant: answer 1', 'user: second', 'assistant: answer 3']
    expect(chat.lines).toEqual(lines)
    const path = await hydrated(session)
    expect(path.map(textOf)).toEqual(['first', 'answer 1', 'second', 'answer 3'])
    // Nothing is lost.
    const { messages } = await api.ask('GET', `/v1/sessions/${session}/messages`)
    expect(messages).toHaveLength(6)
    // The same edit again is the same input.
    const retried = new Chat(session, direct(), chat.messages.slice(0, 3))
    await retried.sendMessage({ text: 'second', messageId })
    expect(retried.text).toBe('answer 3')
    expect(await runsOf(session)).toHaveLength(3)
    // And it goes on from there.
    await chat.sendMessage({ text: 'third' })
    expect((await hydrated(session)).map(textOf).slice(-2)).toEqual(['third', 'answer 4'])
    expect(await hydrated(session)).toHaveLength(6)
  })

  test('regenerates an answer: a sibling of the one before [P-18.3]', async () => {
    const session = newSession()
    await serve(session, async (run, turn) => run.text(`answer ${turn}`))
    const chat = new Chat(session, direct())
    await chat.sendMessage({ text: 'a question' })
    await chat.regenerate()
    expect(chat.lines).toEqual(['user: a question', 'assistant: answer 2'])
    const messageId = chat.messages[1]?.id ?? ''
    await chat.regenerate({ messageId })
    expect(chat.lines).toEqual(['user: a question', 'assistant: answer 3'])
    expect((await hydrated(session)).map(textOf)).toEqual(['a question', 'answer 3'])
    const { messages } = await api.ask('GET', `/v1/sessions/${session}/messages`)
    const answers = (messages as { role: string; parent: string }[]).filter(
      ({ role }) => role === 'assistant',
    )
    expect(new Set(answers.map(({ parent }) => parent)).size).toBe(1)
    expect(answers).toHaveLength(3)
  })

  test('regenerates once where the request is sent again [P-18.3]', async () => {
    const session = newSession()
    const pace = new Pace('a new answer ')
    await serve(session, (run, turn) => (turn === 1 ? run.text('old') : pace.say(run)))
    const chat = new Chat(session, proxied())
    await chat.sendMessage({ text: 'why' })
    const [asked, answer] = chat.messages
    const cutOff = chat.regenerate({ messageId: answer?.id ?? '' })
    pace.allow(1)
    await until('a word is there', () => chat.text === 'a ')
    proxy.cut()
    await cutOff
    const history = [asked, answer].filter((one) => one !== undefined)
    const again = new Chat(session, direct(), history)
    const resent = again.regenerate({ messageId: answer?.id ?? '' })
    const unnamed = new Chat(session, direct(), history)
    const alsoResent = unnamed.regenerate()
    await until('both follow it', () => again.text === 'a ' && unnamed.text === 'a ')
    pace.allowAll()
    await Promise.all([resent, alsoResent])
    expect(again.lines).toEqual(['user: why', `assistant: ${pace.text}`])
    expect(unnamed.lines).toEqual(again.lines)
    expect(await runsOf(session)).toHaveLength(2)
  })

  test('leaves without stopping anything; the stop endpoint stops [P-18.6] [P-18.7] [R4]', async () => {
    const session = newSession()
    const pace = new Pace('on and on ')
    await serve(session, (run) => pace.say(run))
    const chat = new Chat(session, direct())
    const sent = chat.sendMessage({ text: 'talk' })
    pace.allow(1)
    await until('a word is there', () => chat.text === 'on ')
    await chat.stop()
    await sent
    expect(chat.status).toBe('ready')
    pace.allow(2)
    await until('it goes on', async () => textOf((await hydrated(session)).at(-1)) === pace.upTo(2))
    const resumed = chat.resumeStream()
    await until('it is seen again', () => chat.text === pace.upTo(2))
    const [run] = await runsOf(session)
    const stopped = await api.ask('POST', `/compat/ai-sdk/chat/${session}/stop`)
    expect(stopped).toEqual({ runs: [run?.id], inputs: [] })
    await resumed
    expect(chat.lines).toEqual(['user: talk', `assistant: ${pace.upTo(2)}`])
    expect(await runsOf(session)).toMatchObject([{ status: 'cancelled' }])
  })

  test('ends where the run ends before its first word [P-18.4]', async () => {
    const session = newSession()
    await serve(session, async (run, turn) => {
      if (turn === 1) throw new Error('no model today')
      if (turn === 2) await api.ask('POST', `/v1/sessions/${session}/runs/${run.id}/cancel`, {})
    })
    const chat = new Chat(session, direct())
    await chat.sendMessage({ text: 'fails' })
    expect(chat.status).toBe('error')
    expect(chat.errors.map(({ message }) => message)).toEqual(['no model today'])
    const other = new Chat(session, direct())
    await other.sendMessage({ text: 'is cancelled' })
    await other.sendMessage({ text: 'says nothing' })
    expect({ status: other.status, errors: other.errors }).toEqual({ status: 'ready', errors: [] })
    expect(other.lines).toEqual(['user: is cancelled', 'user: says nothing'])
  })

  test('has one message of a run that writes several [P-18.4] [P-18.5]', async () => {
    const session = newSession()
    const pace = new Pace('said last')
    await serve(session, async (run) => {
      await run.text('said first. ')
      await run.message()
      await pace.say(run)
    })
    const chat = new Chat(session, direct())
    const sent = chat.sendMessage({ text: 'two, please' })
    pace.allowAll()
    await sent
    expect(chat.lines).toEqual(['user: two, please', 'assistant: said first. said last'])
    const path = await hydrated(session)
    expect(path.map(textOf)).toEqual(['two, please', 'said first. said last'])
    expect(path.at(-1)?.id).toBe(chat.messages.at(-1)?.id)
  })
})
