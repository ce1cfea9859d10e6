import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeRandom } from '../../support/fake-random.ts'
import { RealWindow } from '../../support/real-tabs.ts'
import { pause, until } from '../../support/until.ts'
import { useChatApp } from './chat-app.ts'
import { ChatTab } from './chat-tab.ts'
import type { ReadPage } from './read-page.ts'
import { runsOf, serverShows } from './server-words.ts'

const QUESTION = 'Which night has the calmest sea?'
const WITHIN = { withinMs: 90_000 }

/** `HELDLINE_LONG_RUN_MS=180000` freezes a tab for three minutes. */
const FROZEN_MS = Number(process.env['HELDLINE_LONG_RUN_MS'] ?? 8000)

describe('the chat on bad networks, in Chromium', () => {
  const stage = useChatApp({ pace: 80 })
  const { enter } = stage

  const writes = async (chat: ReadPage, more: number): Promise<void> => {
    const { written } = await chat.report()
    await until(
      `${more} letters more are there`,
      async () => (await chat.report()).written >= written + more,
      WITHIN,
    )
  }

  const isRest = async (session: string): Promise<boolean> =>
    (await runsOf(stage.app, session)).every(({ status }) => isOver(status))

  const allOver = (session: string, prompts: number): Promise<void> =>
    until(
      'every prompt is answered',
      async () => {
        const runs = await runsOf(stage.app, session)
        return runs.length >= prompts && runs.every(({ status }) => isOver(status))
      },
      WITHIN,
    )

  /** Everybody shows what the server has, to the letter, and has counted nothing that is wrong; and every prompt had one run. */
  const expectSame = async (
    session: string,
    prompts: number,
    chats: readonly ReadPage[],
  ): Promise<void> => {
    await allOver(session, prompts)
    const has = await serverShows(stage.app, session)
    for (const chat of chats) {
      await expect.poll(() => chat.messages(), { timeout: 60_000 }).toEqual(has)
    }
    const words = await Promise.all(chats.map((chat) => chat.conversation()))
    expect(words).toEqual(chats.map(() => words[0]))
    for (const chat of chats) expect(await chat.report()).toMatchObject({ wrong: 0, alerts: [] })
    expect(await runsOf(stage.app, session)).toHaveLength(prompts)
  }

  test('is the same after 30 reloads in the middle of answers, which start nothing again (R2, R3, S0-10, S0-21, S1-10)', async () => {
    const RELOADS = 30
    const EVERY_LETTERS = 40
    const ana = await enter('Ana')
    const told = countWords(ana.page, QUESTION)
    const undisturbed = await enter('Ana', ana.session)
    let prompts = 0
    let wrong = 0
    for (let done = 0; done < RELOADS;) {
      // On a machine whose reloads are slow one answer has not room for all of them.
      if (await isRest(ana.session)) {
        await ana.page.getByRole('textbox', { name: 'Your message' }).waitFor()
        await ana.say(QUESTION)
        prompts++
        await started(ana.session, prompts)
      }
      const { written } = await undisturbed.report()
      const goesOn = async (): Promise<boolean> =>
        (await undisturbed.report()).written >= written + EVERY_LETTERS
      await until('it goes on', async () => (await goesOn()) || (await isRest(ana.session)), WITHIN)
      if (!(await goesOn())) continue
      wrong += (await ana.report()).wrong
      done++
      // Most of them before the page has come to itself after the one before.
      await ana.page.reload({ waitUntil: 'commit' })
      if (done % 5 === 0) await writes(ana, 1)
    }
    await expectSame(ana.session, prompts, [ana, undisturbed])
    expect(wrong).toBe(0)
    expect(told.count).toBe(prompts)
  }, 240_000)

  test('is the same after the browser was offline 5 times in an answer, and knows it each time (S0-06, S0-15, S1-10)', async () => {
    const ana = await enter('Ana')
    const undisturbed = await enter('Ana', ana.session)
    await ana.say(QUESTION)
    for (let times = 0; times < 5; times++) {
      await writes(ana, 60)
      await ana.page.context().setOffline(true)
      await ana.line('offline')
      // What had come before may be shown only now.
      await until(
        'it misses something',
        async () => {
          const { written } = await ana.report()
          return (await undisturbed.report()).written > written + 80
        },
        WITHIN,
      )
      await ana.page.context().setOffline(false)
      await ana.line('live')
    }
    await expectSame(ana.session, 1, [ana, undisturbed])
  }, 180_000)

  test('is the same in two tabs of a line with 200 kbit/s, by Chromium, and 500 ms a frame, by the page’s own switch, after 20 switches between them and interrupts at random moments; every interrupted answer ends as that, and none runs twice (S1-12, S1-04, S1-08)', async () => {
    const random = new FakeRandom(4)
    const window = await RealWindow.open(stage.browser)
    onTestFinished(() => window.close())
    const session = `chat-${crypto.randomUUID().slice(0, 8)}`
    const one = await ChatTab.enter(window, stage.app.url, 'Ana', session)
    const other = await ChatTab.enter(window, stage.app.url, 'Ana', session)
    for (const chat of [one, other]) await chat.slow()
    let prompts = 1
    await other.say(QUESTION)
    const interruptAt = new Set([4, 8, 13, 17].map((at) => at + Math.floor(random.fraction() * 3)))
    for (let switches = 0; switches < 20; switches++) {
      const chat = switches % 2 === 0 ? one : other
      await chat.tab.front()
      await pause(random.fraction() * 500)
      if (!interruptAt.has(switches)) continue
      await started(session, prompts)
      await pause(random.fraction() * 2000)
      await chat.say(`No: rather what I say at ${switches}. Which night?`, 'interrupt')
      prompts++
    }
    await allOver(session, prompts)
    const { runs } = await stage.app.ask('GET', `/sessions/${session}/runs`)
    const statuses = (runs as { status: string }[]).map(({ status }) => status)
    expect(statuses).toEqual([
      ...Array.from({ length: prompts - 1 }, () => 'cancelled'),
      'finished',
    ])
    for (const chat of [one, other]) {
      await chat.tab.front()
      await until('it is there', async () => (await chat.messages()).length === prompts * 2, WITHIN)
    }
    await expectSame(session, prompts, [other])
    await one.tab.front()
    await expectSame(session, prompts, [one])
    expect(await one.conversation()).toBe(await other.conversation())
    expect([...one.tab.problems, ...other.tab.problems]).toEqual([])
  }, 240_000)

  const started = (session: string, prompts: number): Promise<void> =>
    until(
      'the prompt before is being answered',
      async () => (await runsOf(stage.app, session)).length === prompts,
      WITHIN,
    )

  test(
    `is whole in a tab that was frozen for ${FROZEN_MS} ms while the answer went on (S0-07, S4-06, S4-07)`,
    async () => {
      const window = await RealWindow.open(stage.browser)
      onTestFinished(() => window.close())
      const awake = await enter('Ana')
      const ana = await ChatTab.enter(window, stage.app.url, 'Ana', awake.session)
      await ana.say(QUESTION)
      let prompts = 1
      await writes(ana, 60)
      await ana.tab.freeze()
      const before = await ana.report()
      const end = performance.now() + FROZEN_MS
      while (performance.now() < end) {
        await pause(200)
        if (!(await isRest(awake.session))) continue
        await awake.say(QUESTION)
        prompts++
        await started(awake.session, prompts)
      }
      // A page that was not frozen would have drawn what the other one has.
      expect((await ana.report()).serial).toBe(before.serial)
      expect((await awake.report()).serial).toBeGreaterThan(before.serial)
      await ana.tab.wake()
      await expectSame(awake.session, prompts, [ana, awake])
      expect(ana.tab.problems).toEqual([])
    },
    FROZEN_MS + 180_000,
  )

  test('shows no error when the server is killed in the middle of an answer and comes back, and two people see the same (S0-08, S0-24, R8)', async () => {
    const ana = await enter('Ana')
    const ben = await enter('Ana', ana.session)
    await ana.say(QUESTION)
    await writes(ben, 150)
    await stage.app.heldline.kill('SIGKILL')
    const { written } = await ana.report()
    await until('it is seen to be away', async () => (await ana.report()).line !== 'live', WITHIN)
    await stage.app.heldline.restart()
    expect(await ana.report()).toMatchObject({ alerts: [] })
    await ana.line('live')
    await until('it goes on', async () => (await ana.report()).written > written, WITHIN)
    await expectSame(ana.session, 1, [ana, ben])
    expect(stage.app.heldline.kills).toBe(1)
  }, 180_000)
})

const isOver = (status: string): boolean =>
  status === 'finished' || status === 'cancelled' || status === 'failed'

/** How often a page says something to anybody, over whichever way. */
function countWords(page: Page, words: string): { readonly count: number } {
  const seen = { count: 0 }
  const look = (text: string | Buffer | null): void => {
    if (text?.includes(words) === true) seen.count++
  }
  page.on('request', (request) => look(request.postData()))
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => look(payload)))
  return seen
}
