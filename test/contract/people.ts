import { describe, expect, test } from 'vitest'
import { FakeClock } from '../client/support/fake-clock.ts'
import { until } from '../support/until.ts'
import { Wiretap } from '../support/wiretap.ts'
import { eventsOf, type Nodes, pictureOf, type Talk, talkInEach, textsOf } from './people-kit.ts'

/** What people have of a session, with the clients that they use, whatever it is stored in. */
export function describePeople(name: string, open: () => Promise<Nodes>): void {
  describe(`people in a session, over ${name}`, { timeout: 30_000 }, () => {
    let talk: Talk
    talkInEach(open, (begun) => {
      talk = begun
    })

    test('[S0-14] after every serial there is, and after each position, comes what follows it: in order, without loss or duplicate', async () => {
      await talk.agent()
      const path = `/sessions/${talk.id}/events`
      const tail = 30
      while ((await talk.log()).length < tail) await talk.ask('POST', path, { type: 'x.word' })
      const all = await talk.log()
      expect(all.map(({ serial }) => serial)).toEqual(all.map((_, n) => n + 1))
      const { epoch } = await talk.ask('GET', path)
      for (let n = 0; n <= tail; n++) {
        expect(await talk.log(n, 7)).toEqual(all.slice(n))
        const tag = all[n - 1]?.tag ?? '--------'
        expect(await talk.log(`${String(epoch)}.${n}.${tag}`, 11)).toEqual(all.slice(n))
      }
    })

    test('[S1-01] from tab to tab it is the same, at once: no clock of the client has to go on for it', async () => {
      const agent = await talk.agent()
      const a = await talk.tab()
      await a.send('a question')
      await agent.state.set('draft', { at: 3 })
      const run = await agent.start({ trigger: 'prompt' })
      await run?.text('half an ans')
      await run?.flush()
      await talk.quiet(a)
      const standing = { clock: new FakeClock() }
      const b = await talk.tab('ada', standing)
      expect(pictureOf(b)).toBe(pictureOf(a))
      await run?.text('wer')
      await b.send('and another')
      await run?.finish()
      await talk.quiet(a, b)
      expect(pictureOf(a)).toBe(pictureOf(b))
      expect(textsOf(a)).toEqual(['a question', 'half an answer', 'and another'])
      expect(a.sharedState.get('draft')?.value).toEqual({ at: 3 })
    })

    test.for([
      { row: 'S1-08', count: 10 },
      { row: 'S4-10', count: 100 },
    ])(
      '[$row] what is written reaches $count tabs, each event once, in order',
      { timeout: 60_000 },
      async ({ count }) => {
        const agent = await talk.agent()
        const token = talk.node.key
        const tabs = await Promise.all(
          Array.from({ length: count }, () => talk.tab('ada', { token })),
        )
        const seen = tabs.map(eventsOf)
        const { length: before } = await talk.log()
        await agent.run({ trigger: 'prompt' }, async (run) => {
          for (let n = 0; n < 30; n++) {
            await run.text(`w${n} `)
            await run.flush()
          }
        })
        await talk.quiet(...tabs)
        const written = (await talk.log(before)).map(({ serial, tag }) => `${serial} ${tag}`)
        expect(written.length).toBeGreaterThan(30)
        for (const events of seen) expect(events).toEqual(written)
        expect(new Set(tabs.map(pictureOf)).size).toBe(1)
      },
    )

    test('[S2-04] three producers at once, an agent with tools, another agent and a person: one order, the same for all', async () => {
      const [one, two] = [await talk.agent(), await talk.agent()]
      const watchers = [await talk.tab('ada'), await talk.tab('bob'), await talk.tab('eve')]
      const [ada] = watchers
      const seen = watchers.map(eventsOf)
      const { length: before } = await talk.log()
      const words = Array.from({ length: 20 }, (_, n) => `w${n} `)
      const write = (agent: typeof one, trigger: string) =>
        agent.run({ trigger, agent: trigger }, async (run) => {
          for (const word of words) {
            await run.text(word)
            if (trigger === 'one') await run.tool('look', { word }, () => word)
          }
        })
      await Promise.all([
        write(one, 'one'),
        write(two, 'two'),
        ...words.map((word) => ada?.send(`said ${word}`)),
      ])
      await talk.quiet(...watchers)
      const log = await talk.log(before)
      for (const events of seen)
        expect(events).toEqual(log.map(({ serial, tag }) => `${serial} ${tag}`))
      expect(new Set(watchers.map(pictureOf)).size).toBe(1)
      const [first] = watchers
      if (first === undefined) throw new Error('nobody watched')
      const said = textsOf(first)
      expect(said.filter((text) => text.startsWith('said'))).toEqual(words.map((w) => `said ${w}`))
      expect(said.filter((text) => text === words.join(''))).toHaveLength(2)
    })

    test('[S1-06] that an agent is there and thinks is seen by all, before it has said a word', async () => {
      const agent = await talk.agent()
      const tabs = [await talk.tab('ada'), await talk.tab('bob')]
      const present = { kind: 'agent', status: 'reasoning', ttlMs: 60_000 }
      await talk.ask('PUT', `/sessions/${talk.id}/presence/thinker`, present)
      const run = await agent.start({ trigger: 'prompt', agent: 'thinker' })
      await run?.status({ status: 'thinking', step: 'reading' })
      await talk.quiet(...tabs)
      for (const { members, runs, messages } of tabs) {
        expect(members).toMatchObject([
          { member: 'thinker', kind: 'agent', status: 'reasoning', connected: true },
        ])
        expect(runs).toMatchObject([{ agent: 'thinker', status: 'thinking', step: 'reading' }])
        expect(messages).toEqual([])
      }
      const types = (await talk.log()).map(({ type }) => type)
      expect(types.filter((type) => type === 'member.entered')).toHaveLength(1)
      expect(types).toContain('run.status')
    })

    test('[S2-03] who is there: people, agents and supervisors, each with a status and data of its own', async () => {
      await talk.agent()
      const ada = await talk.tab('ada')
      const boss = await talk.tab('boss', { token: await talk.token('boss', 'supervisor') })
      await ada.presence({ member: 'tab-1', status: 'reading', data: { page: 3 } })
      await boss.presence({ member: 'desk', status: 'watching', data: { since: 'noon' } })
      await talk.ask('PUT', `/sessions/${talk.id}/presence/writer`, {
        kind: 'agent',
        status: 'writing',
        data: { model: 'm' },
        ttlMs: 60_000,
      })
      await talk.quiet(ada, boss)
      const there = [
        { member: 'desk', subject: 'boss', kind: 'supervisor', status: 'watching' },
        { member: 'tab-1', subject: 'ada', kind: 'human', status: 'reading' },
        { member: 'writer', kind: 'agent', status: 'writing' },
      ]
      for (const { members } of [ada, boss]) {
        const sorted = members.toSorted((a, b) => (a.member < b.member ? -1 : 1))
        expect(sorted).toMatchObject(there)
        expect(sorted.map(({ data }) => data)).toEqual([
          { since: 'noon' },
          { page: 3 },
          { model: 'm' },
        ])
      }
    })

    test('[S2-12] one session object has who is there, what is shared and what was said, and keeps all of it', async () => {
      await talk.agent()
      const session = await talk.tab()
      await session.presence({ member: 'tab-1', status: 'here' })
      await session.setState('plan', ['look', 'book'])
      await session.send('let us go')
      const other = await talk.tab('bob')
      await talk.quiet(session, other)
      for (const { members, sharedState, messages } of [session, other]) {
        expect(members).toMatchObject([{ member: 'tab-1', status: 'here' }])
        expect(sharedState.get('plan')?.value).toEqual(['look', 'book'])
        expect(messages).toMatchObject([{ by: 'ada' }])
      }
    })

    test('[S4-22] presence, what a person says, its acknowledgement and what others say go over one WebSocket, and nothing else', async () => {
      await talk.agent()
      const tap = new Wiretap()
      const ada = await talk.tab('ada', tap.options)
      const bob = await talk.tab('bob')
      await ada.presence({ member: 'tab-1', status: 'typing' })
      const { first, durability } = await ada.send('are you there?')
      await until('bob has it', () => textsOf(bob).length === 1)
      await bob.send('I am')
      expect(bob.signal('wave')).toBe(true)
      await until('ada hears', () => textsOf(ada).length === 2 && tap.frames('signal').length === 1)
      expect(bob.members).toMatchObject([{ member: 'tab-1', status: 'typing' }])
      expect(tap.frames('ack')).toMatchObject([{ first, durability }])
      expect(tap.sockets).toBe(1)
      expect(tap.requests).toEqual([])
    })
  })
}
