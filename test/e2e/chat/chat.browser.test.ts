import type { Locator } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { until } from '../../support/until.ts'
import { useChatApp } from './chat-app.ts'
import { ChatPage } from './chat-page.ts'

const QUESTION = 'Which night has the calmest sea?'
/** The end of what the scripted agent says to it. */
const END = 'Shall I book the two cabins?'
const BOOK = 'Book the two cabins on the night ferry'

describe('the chat, in Chromium', () => {
  const stage = useChatApp({ pace: 80, deliveryAfterMs: 6000 })
  const { enter } = stage

  const last = async (chat: ChatPage): Promise<string> => (await chat.messages()).at(-1)?.text ?? ''
  const ends = (chat: ChatPage, text: string): Promise<void> =>
    until('the answer is whole', async () => (await last(chat)).endsWith(text), {
      withinMs: 90_000,
    })

  test('starts in tab A, goes on in B, is interrupted there, and is the same in A (S1-01, S1-08, S1-11)', async () => {
    const a = await enter('Ana')
    await a.say(QUESTION)
    await a.saysMore(10)
    const b = new ChatPage(await a.page.context().newPage())
    await b.enter(stage.app.url, 'Ana', a.session)
    await b.saysMore(10)
    await b.say('Never mind: book it', 'Interrupt')
    await b.agent('waiting')
    await a.page.bringToFront()
    await until('both are the same', async () => {
      const [left, right] = [await a.messages(), await b.messages()]
      return left.length === 4 && JSON.stringify(left) === JSON.stringify(right)
    })
    expect((await a.messages()).map(({ role, status }) => [role, status])).toEqual([
      ['user', 'completed'],
      ['assistant', 'interrupted'],
      ['user', 'completed'],
      ['assistant', 'open'],
    ])
    const { runs } = await stage.app.ask('GET', `/sessions/${a.session}/runs`)
    expect(runs).toMatchObject([{ status: 'cancelled' }, { status: 'waiting' }])
    expect([await a.wrong(), await b.wrong()]).toEqual(['0', '0'])
    await a.page.getByRole('button', { name: 'Stop the answer' }).click()
    await b.agent('idle')
  }, 180_000)

  test('two people on two devices see each other, each other’s words, and one answer to a question counts for both, with one server and nothing beside it (S1-06, S2-03, S4-15)', async () => {
    const ana = await enter('Ana')
    const ben = await enter('Ben', ana.session)
    await until('both faces are there', async () => {
      const faces = ana.page.getByRole('list', { name: 'Who is here' }).getByRole('listitem')
      return (await faces.count()) === 2
    })
    await ana.say(BOOK)
    await ben.agent('waiting')
    await ben.page.getByRole('button', { name: 'Yes, do it' }).click()
    await ends(ana, 'would not have paid again.')
    await ends(ben, 'would not have paid again.')
    expect(await ana.page.getByRole('button', { name: 'Yes, do it' }).count()).toBe(0)
    expect(await ben.page.locator('.by').first().textContent()).toBe('Ana')
  }, 120_000)

  test('what others say and what the agent asks is in view at once; who has scrolled up stays there, is told what waits at the end, and gets back to it', async () => {
    const ana = await enter('Ana')
    const ben = await enter('Ben', ana.session)
    await ana.page.setViewportSize({ width: 700, height: 420 })
    const yes = ana.page.getByRole('button', { name: 'Yes, do it' })
    const inView = (locator: Locator): Promise<void> =>
      until('it is in view', async () => {
        const box = await ana.page.locator('.scroll').boundingBox()
        const it = (await locator.isVisible()) ? await locator.boundingBox() : null
        return (
          box !== null && it !== null && it.y >= box.y && it.y + it.height <= box.y + box.height
        )
      })
    await ben.say(BOOK)
    await ana.agent('waiting')
    await inView(yes)
    const first = ana.page.locator('.message[data-role="user"] .text')
    await ana.page.locator('.scroll').hover()
    await ana.page.mouse.wheel(0, -3000)
    await inView(first)
    await ana.page.getByRole('button', { name: 'The agent asks you something' }).click()
    await inView(yes)
    await ana.page.mouse.wheel(0, -3000)
    await inView(first)
    await ben.page.getByRole('button', { name: 'Yes, do it' }).click()
    await ends(ben, 'would not have paid again.')
    await ends(ana, 'would not have paid again.')
    await inView(first)
    await ana.page.getByRole('button', { name: 'To the end' }).click()
    await inView(ana.page.getByText('would not have paid again.'))
    expect(await ana.page.getByRole('button', { name: 'To the end' }).count()).toBe(0)
  }, 120_000)

  test('what is said while it answers is queued, taken in at the next step, or taken back (R10)', async () => {
    const ana = await enter('Ana')
    await ana.say(QUESTION)
    await ana.saysMore(10)
    await ana.say('Only ships with cabins', 'Steer')
    await ana.say('And how long does it take?', 'Queue')
    await ana.say('Is there breakfast?', 'Queue')
    const queue = ana.page.locator('.queue li')
    await until('they wait', async () => (await queue.count()) >= 2)
    await ana.page.getByRole('button', { name: 'Take back: Is there breakfast?' }).click()
    await until(
      'the next one is answered',
      async () => {
        const all = await ana.messages()
        return (
          all.filter(({ role, text }) => role === 'assistant' && text.includes(END)).length === 2
        )
      },
      { withinMs: 90_000 },
    )
    const all = await ana.messages()
    const [first, second] = all.filter(({ role }) => role === 'assistant')
    expect(first?.text).toContain('You added “Only ships with cabins”')
    expect(second?.text).toContain('And how long does it take?')
    const { runs } = await stage.app.ask('GET', `/sessions/${ana.session}/runs`)
    expect(runs).toHaveLength(2)
  }, 180_000)

  test('every version of a question and of an answer stays, and the arrows lead to it (R20, S3-11)', async () => {
    const ana = await enter('Ana')
    await ana.say(BOOK)
    await ana.agent('waiting')
    await ana.page.getByRole('button', { name: 'No', exact: true }).click()
    await ends(ana, 'change your mind.')
    await ana.page.getByRole('button', { name: 'Answer again' }).click()
    await ana.agent('waiting')
    await ana.page.getByRole('button', { name: 'Yes, do it' }).click()
    await ends(ana, 'would not have paid again.')
    await ana.page.getByRole('button', { name: 'The version before' }).click()
    await ends(ana, 'change your mind.')
    await ana.agent('idle')
    await ana.page.getByRole('button', { name: 'Change this and ask again' }).click()
    await ana.page.getByLabel('Your message, changed').fill(QUESTION)
    await ana.page.getByRole('button', { name: 'Ask this instead' }).click()
    await ends(ana, END)
    expect((await ana.messages()).map(({ text }) => text.slice(0, 9))).toEqual([
      QUESTION.slice(0, 9),
      'There are',
    ])
    await ana.page.getByRole('button', { name: 'The version before' }).first().click()
    await until('the first question is back', async () => (await ana.messages())[0]?.text === BOOK)
    const { messages } = await stage.app.ask('GET', `/sessions/${ana.session}/messages`)
    expect(messages).toHaveLength(5)
  }, 180_000)

  test('a supervisor watches unseen, takes over, speaks, and hands back (R20)', async () => {
    const ana = await enter('Ana')
    const sam = await stage.device()
    await sam.page.goto(`${stage.app.url}/#${ana.session}&supervisor`)
    await sam.page.getByLabel('Your name').fill('Sam')
    await sam.page.getByRole('button', { name: 'Come in' }).click()
    await ana.say(QUESTION)
    await sam.saysMore(10)
    expect(
      await ana.page.getByRole('list', { name: 'Who is here' }).getByRole('listitem').count(),
    ).toBe(1)
    await sam.page.getByRole('button', { name: 'Take over' }).click()
    await ana.page.getByText('A person has taken over').waitFor()
    await sam.page
      .getByRole('textbox', { name: 'Speak in the agent’s place' })
      .fill('Sam here: I will call you.')
    await sam.page.keyboard.press('Enter')
    await ends(ana, 'I will call you.')
    expect(await ana.page.getByText('Sam, in the agent’s place').count()).toBe(1)
    const said = await ana.said()
    await sam.page.getByRole('button', { name: 'Hand back' }).click()
    await ana.page.getByText('A person has taken over').waitFor({ state: 'detached' })
    await ana.agent('idle')
    expect(await ana.said()).toBe(said)
    await ana.say('Thank you. Which night?')
    await ends(ana, END)
  }, 180_000)

  test('who is away when it is finished gets it by mail, once; who was there gets none (R17)', async () => {
    // Their inboxes have nothing of other tests.
    const zoe = await enter('Zoe')
    const yan = await enter('Yan', zoe.session)
    await zoe.say(QUESTION)
    await zoe.saysMore(10)
    await zoe.page.getByRole('button', { name: 'Go away' }).first().click()
    await zoe.page.getByText('Your answer is ready').waitFor({ timeout: 90_000 })
    await yan.say('And back again?')
    await until('it is answered', async () => (await yan.messages()).length === 4, {
      withinMs: 60_000,
    })
    await ends(yan, END)
    const { deliveries } = await stage.app.ask('GET', `/sessions/${zoe.session}/deliveries`)
    await until('nothing is pending', async () => {
      const now = await stage.app.ask('GET', `/sessions/${zoe.session}/deliveries?status=pending`)
      return (now['deliveries'] as unknown[]).length === 0
    })
    expect(deliveries).not.toContainEqual(expect.objectContaining({ status: 'failed' }))
    expect(await zoe.page.getByText('Your answer is ready').count()).toBe(1)
    await zoe.page.getByRole('button', { name: 'Come back' }).click()
    await ends(zoe, END)
    expect(await inbox('user:yan')).toEqual([])
  }, 180_000)

  const inbox = async (subject: string): Promise<unknown> => {
    const response = await fetch(`${stage.app.url}/api/inbox?subject=${subject}`)
    return ((await response.json()) as { mails: unknown }).mails
  }

  test('a thinking agent, one that writes, one that is frozen and one that is dead look different, and the next one goes on (R5, R6)', async () => {
    const ana = await enter('Ana')
    await ana.say(QUESTION)
    await ana.agent('thinking')
    await ana.agent('streaming')
    await ana.page.getByRole('button', { name: 'Freeze the agent' }).click()
    await ana.agent('stalled')
    await ana.page.getByRole('button', { name: 'Freeze the agent' }).click()
    await ana.agent('streaming')
    await ana.page.getByRole('button', { name: 'Kill the agent' }).click()
    await ana.agent('lost')
    await ana.agent('streaming')
    await ends(ana, END)
    await ana.agent('idle')
    const { runs } = await stage.app.ask('GET', `/sessions/${ana.session}/runs`)
    expect(runs).toMatchObject([{ status: 'finished', epoch: 2 }])
  }, 240_000)
})
