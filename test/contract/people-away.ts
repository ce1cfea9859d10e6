import { describe, expect, test } from 'vitest'
import type { Client } from '../../src/client/client.ts'
import { FakeClock } from '../client/support/fake-clock.ts'
import { FakeStorage } from '../client/support/fake-storage.ts'
import { until } from '../support/until.ts'
import { Wiretap } from '../support/wiretap.ts'
import { eventsOf, type Nodes, pictureOf, type Talk, talkInEach, textsOf } from './people-kit.ts'

/** What those find who were away, or come from somewhere else. */
export function describePeopleAway(name: string, open: () => Promise<Nodes>): void {
  describe(`people who were away, over ${name}`, { timeout: 30_000 }, () => {
    let talk: Talk
    talkInEach(open, (begun) => {
      talk = begun
    })

    const left = async (member: string): Promise<boolean> =>
      (await talk.log()).some(
        ({ type, data }) =>
          type === 'member.left' && (data as { readonly member?: string }).member === member,
      )

    test('[S0-16] [S2-02] [P-5.4] whoever returns after the window has left meanwhile, and has the same content: this tab resumes where it was, another one begins with the whole view, without waiting', async () => {
      const agent = await talk.agent()
      const stayed = await talk.tab('bob')
      const proxy = await talk.proxy()
      const tap = new Wiretap()
      const client = await talk.client('ada', { ...tap.options, url: proxy.url, random: () => 0.1 })
      const back = await talk.attached(client)
      await back.presence({ member: 'tab-1' })
      const seen = eventsOf(back)
      await talk.quiet(back)
      const { length: before } = await talk.log()
      proxy.mode = 'refuse'
      proxy.cut()
      await agent.run({ trigger: 'prompt' }, (run) => run.text('while you were away'))
      await until('its member has left', () => left('tab-1'))
      proxy.mode = 'pass'
      client.connect()

      const elsewhere = new Wiretap()
      const other = await talk.tab('ada', { ...elsewhere.options, clock: new FakeClock() })
      await until('it is back', async () => (await talk.log()).at(-1)?.type === 'member.entered')
      await talk.quiet(stayed, back, other)
      expect(elsewhere.frames('attached')).toMatchObject([{ mode: 'snapshot' }])
      expect(tap.frames('attached').map(({ mode }) => mode)).toEqual(['snapshot', 'resumed'])
      expect(tap.frames('reset')).toEqual([])
      const missed = (await talk.log(before)).map(({ serial, tag }) => `${serial} ${tag}`)
      expect(seen.slice(-missed.length)).toEqual(missed)
      expect(new Set(seen).size).toBe(seen.length)
      expect(textsOf(stayed)).toEqual(['while you were away'])
      expect(new Set([stayed, back, other].map(pictureOf)).size).toBe(1)
    })

    test('[S0-21] [S1-10] a line that is cut again and again mends itself: the application does nothing, and what was asked is not sent again', async () => {
      const agent = await talk.agent()
      const proxy = await talk.proxy()
      const tap = new Wiretap()
      const session = await talk.tab('ada', { ...tap.options, url: proxy.url, random: () => 0.1 })
      let shown: string[] = []
      session.on('change', () => {
        shown = textsOf(session)
      })
      const question = 'what is the meaning of tea?'
      const count = (texts: readonly string[]) => texts.filter((t) => t.includes(question)).length
      await session.prompt(question)
      expect(count(tap.sent) + count(tap.requests)).toBe(1)
      await until('it waits for an agent', () => session.inputs.length === 1)
      const trigger = session.inputs[0]?.id
      expect(trigger).toBeDefined()
      let words = ''
      await agent.run({ trigger: String(trigger) }, async (run) => {
        for (let n = 0; n < 50; n++) {
          words += `w${n} `
          await run.text(`w${n} `)
          if (n % 10 !== 5) continue
          const { length: times } = tap.frames('attached')
          proxy.cut()
          await until('it is back', () => tap.frames('attached').length > times)
        }
      })
      await until('all is shown', () => shown.at(-1) === words)
      expect(shown).toEqual([question, words])
      expect(tap.sockets).toBe(6)
      expect(tap.frames('attached').slice(1)).toHaveLength(5)
      expect(count(tap.sent) + count(tap.requests)).toBe(1)
      expect((await talk.log()).filter(({ type }) => type === 'run.started')).toHaveLength(1)
    })

    test(
      '[R2] an answer is the same in a tab that is reloaded at every one of its 200 chunks, whenever the chunk comes',
      { timeout: 60_000 },
      async () => {
        const agent = await talk.agent()
        const device = {
          token: await talk.token('ada'),
          storage: { local: new FakeStorage(), tab: new FakeStorage() },
        }
        const run = await agent.start({ trigger: 'prompt' })
        let words = ''
        let before: Client | undefined
        for (let n = 0; n < 200; n++) {
          words += `w${n} `
          const written = run?.text(`w${n} `).then(() => run.flush())
          before?.close()
          const client = await talk.client('ada', device)
          before = client
          const session = client.session(talk.id, { catchup: 'events' })
          const serials: number[] = []
          session.on('event', ({ serial }) => serials.push(serial))
          session.attach()
          await written
          await until('it is all there', () => textsOf(session)[0] === words, {
            instead: () => textsOf(session),
          })
          // What came one by one in this life of the page is whatever its view did not begin with, without a hole.
          const { serial: last } = session.view.position
          expect(serials).toEqual(serials.map((_, at) => last - serials.length + 1 + at))
        }
        await run?.finish()
        const stayed = await talk.tab('ada', device)
        expect(textsOf(stayed)).toEqual([words])
        expect(stayed.messages[0]?.status).toBe('completed')
      },
    )

    test('[S1-09] announce, put a tool’s result into the state, close the tab, open another, subscribe, get the state, go on', async () => {
      const agent = await talk.agent()
      const first = await talk.client()
      const before = await talk.attached(first)
      const run = await agent.start({ trigger: 'trip' })
      await run?.text('I look for trains. ')
      await run?.flush()
      await until('it is announced', () => textsOf(before)[0] === 'I look for trains. ')
      first.close()

      const found = await run?.tool('trains', { to: 'Bern' }, () => ['10:02', '11:02'])
      await run?.state.set('trains', found)

      const after = await talk.tab()
      expect(after.sharedState.get('trains')?.value).toEqual(['10:02', '11:02'])
      expect(after.runs).toMatchObject([{ id: run?.id }])
      await run?.text('The next one is at 10:02.')
      await run?.finish('told')
      await talk.quiet(after)
      expect(after.runs).toMatchObject([{ status: 'finished', output: 'told' }])
      expect(textsOf(after)).toEqual(['I look for trains. The next one is at 10:02.'])
      expect(after.messages[0]?.parts.map(({ type }) => type)).toEqual(['text', 'tool', 'text'])
    })

    test('[S4-08] a session is its user’s, not the tab’s: by its id, with another token of theirs, on another device', async () => {
      await talk.agent()
      const phone = await talk.client('ada', { token: await talk.token('ada') })
      const there = await talk.attached(phone)
      await there.send('from the phone')
      await there.read()
      phone.close()
      const desk = await talk.tab('ada', { token: await talk.token('ada', 'human', ['people-*']) })
      expect(desk.messages).toMatchObject([{ by: 'ada' }])
      await desk.send('from the desk')
      expect(textsOf(desk)).toEqual(['from the phone', 'from the desk'])
      const { messages } = desk
      expect(new Set(messages.map(({ by }) => by))).toEqual(new Set(['ada']))

      const stranger = await talk.client('eve', {
        token: await talk.token('eve', 'human', ['people-of-others']),
      })
      const refused = stranger.session(talk.id)
      const told = new Promise<string>((resolve) => {
        refused.on('error', ({ code }) => resolve(code))
      })
      expect(await told).toBe('session_not_found')
    })

    test('[S4-17] everybody leaves, whoever made it, its agent and its people: who comes later finds it whole, and goes on in it', async () => {
      const agent = await talk.agent()
      const client = await talk.client()
      const ada = await talk.attached(client)
      await ada.presence({ member: 'tab-1' })
      await ada.send('a question')
      await agent.run({ trigger: 'one' }, (run) => run.text('an answer'))
      await talk.quiet(ada)
      const picture = textsOf(ada)
      client.close()
      await agent.close()
      await until('nobody is there', () => left('tab-1'))
      const presence = await talk.ask('GET', `/sessions/${talk.id}/presence`)
      expect(presence['members']).toEqual([])

      const later = await talk.tab('bob')
      expect(textsOf(later)).toEqual(picture)
      await later.send('is it still so?')
      const another = await talk.agent()
      await another.run({ trigger: 'two' }, (run) => run.text('it is'))
      await talk.quiet(later)
      expect(textsOf(later)).toEqual([...picture, 'is it still so?', 'it is'])
    })
  })
}
