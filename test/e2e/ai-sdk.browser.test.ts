import { describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { useHouse } from './ai-sdk/house.ts'
import { directParts, PLACES, WHOLE } from './ai-sdk/slow-answer.ts'
import type { AiSdkTab } from './ai-sdk/tab.ts'

const QUESTION = 'What is the colour of the sea?'
const [OURS, STOCK] = [true, false]
/** The ways from a `useChat` to a session: the hooks and transports as they are published. */
const WAYS = [
  ['useChat of AI SDK 7 with SessionChatTransport', 'ours-7', OURS],
  ['useChat of AI SDK 6 with SessionChatTransport', 'ours-6', OURS],
  ['useChat of AI SDK 7 with the stock DefaultChatTransport', 'http', STOCK],
  ['useChat of AI SDK 6 with the stock DefaultChatTransport', 'http-6', STOCK],
  ['useChat of AI SDK 7 with the stock WebSocketChatTransport', 'socket', STOCK],
] as const

const house = useHouse()

/** At every moment there was as much of the answer as there was, once, after the question and what was said earlier. */
function expectOnce(tab: AiSdkTab, earlier: readonly string[] = []): void {
  for (const lines of tab.shown) {
    expect(new Set(lines).size).toBe(lines.length)
    const latest = lines.filter((line) => !earlier.includes(line))
    const [answer = '', ...others] = latest.filter((line) => line !== `user: ${QUESTION}`)
    expect(`assistant: ${WHOLE}`.startsWith(answer)).toBe(true)
    expect(others).toEqual([])
  }
}

describe.each(WAYS)('%s, in Chromium', { timeout: 180_000 }, (_name, way, isOurs) => {
  test('an answer with thoughts and a tool arrives whole, once, over three cut connections and the death of the server, and a second device has the same [R2] [R3] [P-18.4]', async () => {
    const { session, answer } = await house.begin({ everyMs: 20 })
    const tab = await house.open(way, session)
    await tab.is('ready')
    // It has nothing to resume: what it sees, it observes. A stock one has to come later, and resumes.
    const observer = isOurs ? await house.open(way, session) : null
    await observer?.is('ready')
    await tab.say(QUESTION)
    answer.allow(20)
    await tab.shows(10)
    const other = observer ?? (await house.open(way, session))
    const both = [tab, other]
    for (const one of both) await one.shows(10)

    /** What a person does, or the application for them, where the transport does nothing by itself. */
    const after = {
      nothing: async () => undefined,
      'seen again': (one: AiSdkTab) => one.front(),
      'go on': (one: AiSdkTab) => one.goOn(),
      reload: (one: AiSdkTab) => one.reload(),
    }
    const cuts = [
      { at: 25, how: 'reset', next: 'seen again' },
      { at: 60, how: 'end', next: 'go on' },
      { at: 85, how: 'reset', next: 'reload' },
    ] as const
    for (const { at, how, next } of cuts) {
      // It goes on while the connections are cut.
      answer.allow(at + 10)
      for (const one of both) await one.shows(at)
      if (!isOurs && next === 'seen again') for (const one of both) await one.back()
      const reconnected = house.proxy.seen('request', isUpgrade)
      house.proxy.cut(how)
      if (isOurs) await reconnected
      else for (const one of both) await one.is('error')
      answer.allow(at + 15)
      await Promise.all(both.map(after[isOurs ? 'nothing' : next]))
      for (const one of both) await one.shows(at + 15)
    }

    await tab.is('streaming')
    await other.is(isOurs ? 'ready' : 'streaming')
    answer.allow(120)
    for (const one of both) await one.shows(110)
    await house.server.kill('SIGKILL')
    if (!isOurs) for (const one of both) await one.is('error')
    await house.server.restart()
    if (!isOurs) await Promise.all(both.map(after['go on']))
    answer.allow(PLACES.all)

    for (const one of both) {
      await one.shows(PLACES.all)
      await one.is('ready')
      expect(await one.lines()).toEqual([`user: ${QUESTION}`, `assistant: ${WHOLE}`])
    }
    const [mine, theirs] = await Promise.all(both.map((one) => one.messages()))
    expect(mine).toEqual(theirs)
    expect(mine?.[1]?.parts).toEqual(await directParts())
    for (const one of both) {
      await one.collect()
      expectOnce(one)
      if (isOurs) expect(one.errors).toEqual([])
      // As the AI SDK has it: a disconnect, after which it may be resumed.
      else expect(one.errors.filter((error) => !isDisconnect(error))).toEqual([])
    }
    expect(tab.shown.length).toBeGreaterThan(20)
    expect(await house.statusesOf(session)).toEqual(['finished'])
    expect(answer.runs).toBe(1)
  })

  test('going to another page of the application stops nothing, coming back and reloading find the answer once, and only a stop stops [R4] [S4-09]', async () => {
    const { session, answer } = await house.begin({ everyMs: 2 })
    const tab = await house.open(way, session)
    await tab.is('ready')
    await tab.say(QUESTION)
    answer.allow(PLACES.thoughts + 10)
    await tab.shows(PLACES.thoughts + 10)
    await tab.leave()
    answer.allow(PLACES.thoughts + 30)
    await until('it is said without them', () => answer.said === PLACES.thoughts + 30)
    await tab.enter()
    await tab.shows(PLACES.thoughts + 30)
    await tab.is('streaming')
    // In the middle of the thoughts, of what the tool is given, and of the text.
    for (const at of [PLACES.thoughts + 35, PLACES.call, PLACES.text + 20]) {
      answer.allow(at)
      await tab.shows(at)
      await tab.reload()
      answer.allow(at + 1)
      await tab.shows(at + 1)
      await tab.is('streaming')
    }
    expect(await house.statusesOf(session)).toEqual(['streaming'])
    await tab.stop()
    await tab.is('ready')
    expect(await house.statusesOf(session)).toEqual(['cancelled'])
    const [question, said] = await tab.lines()
    expect(question).toBe(`user: ${QUESTION}`)
    await tab.reload()
    await tab.is('ready')
    expect(await tab.lines()).toEqual([question, said])
    await tab.collect()
    expectOnce(tab)
    expect(tab.errors).toEqual([])
    expect(answer.runs).toBe(1)
  })

  test('a resume shows the answer once: with nothing of it or a part of it on the page, after an earlier answer, three at once, and after an error that is no lost connection [R3] [P-18.4]', async () => {
    const { session, answer } = await house.begin({ everyMs: 2, first: 'Ask away' })
    const tab = await house.open(way, session)
    await tab.is('ready')
    await tab.say('Hello')
    const earlier = ['user: Hello', 'assistant: Ask away']
    await until('it is greeted', async () => (await tab.lines()).length === 2)
    await tab.is('ready')
    const before = await house.open(way, session)
    await before.is('ready')
    await tab.say(QUESTION)
    answer.allow(PLACES.thoughts + 20)
    await tab.shows(PLACES.thoughts + 10)
    await before.resume(3)
    const empty = await house.open(way, session, { empty: '' })
    const stumbling = await house.open(way, session, { stumble: '' })
    const all = [tab, before, empty, stumbling]
    for (const one of all) {
      await one.shows(PLACES.thoughts + 20)
      await one.is('streaming')
    }
    answer.allow(PLACES.text + 10)
    await stumbling.is('error')
    await stumbling.goOn()
    for (const one of all) {
      await one.shows(PLACES.text + 10)
      await one.is('streaming')
    }
    answer.allow(PLACES.all)
    const [greeting, greeted] = earlier
    const [asked, answered] = [`user: ${QUESTION}`, `assistant: ${WHOLE}`]
    const path = [greeting, greeted, asked, answered]
    // What a stock client was not told by its own stream it has after a reload.
    const expected = isOurs
      ? [path, path, path, path]
      : [path, [greeting, greeted, answered], [answered], path]
    for (const [index, one] of all.entries()) {
      await one.shows(PLACES.all)
      await one.is('ready')
      await until(
        'nothing is missing',
        async () => (await one.lines()).length === expected[index]?.length,
      )
      expect(await one.lines()).toEqual(expected[index])
      expect((await one.messages()).at(-1)?.parts).toEqual(await directParts())
      await one.collect()
      expectOnce(one, earlier)
      expect(one.errors).toEqual(one === stumbling ? ['Error: the application stumbled'] : [])
    }
    expect(answer.runs).toBe(1)
  })
})

function isUpgrade(chunk: Buffer): boolean {
  return chunk.includes('Upgrade: websocket')
}

function isDisconnect(error: string): boolean {
  return /^TypeError: .*(fetch|network)/i.test(error)
}
