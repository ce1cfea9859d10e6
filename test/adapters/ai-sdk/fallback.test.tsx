// @vitest-environment jsdom
import { expect, onTestFinished, test } from 'vitest'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { createClient } from '../../../src/client/create-client.ts'
import { until } from '../../support/until.ts'
import { TEXT, uiText, useHouse, WORDS } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()
const [[, version, useChat]] = HOOKS
const at = (words: number): string => WORDS.slice(0, words).join(' ')

test.each(['sse', 'long-poll'] as const)(
  'where no WebSocket gets through, an answer comes over %s: whole, once, without an error, over cuts and a restart, to who asked and to who observes; a stop stops [S3-10] [R3]',
  async (kind) => {
    const id = await house.newSession()
    const state = { allowed: 0, runs: 0 }
    house.agent(id, async (run) => {
      state.runs++
      const next = (index: number) =>
        until('it may go on', () => index < state.allowed || run.signal.aborted)
      await run.pipe(uiText(next))
    })
    const open = async () => {
      const client = createClient({
        url: house.url,
        token: () => house.token(),
        transport: kind,
        // Each page has a storage of its own: they are other devices.
        storage: { local: null, tab: null },
      })
      const transport = new SessionChatTransport({ client, version })
      onTestFinished(() => {
        transport.close()
        client.close()
      })
      return { transport, page: await openPage(useChat, id, transport) }
    }
    const { page, transport } = await open()
    const { page: other } = await open()
    await page.is('ready')
    void page.now().sendMessage({ text: 'Tell me' })
    for (const [index, words] of [10, 20, 30].entries()) {
      state.allowed = words
      for (const one of [page, other]) await one.shows('Tell me', at(words))
      house.proxy.cut(index === 1 ? 'end' : 'reset')
    }
    await house.server.restart()
    state.allowed = WORDS.length
    for (const one of [page, other]) {
      await one.shows('Tell me', TEXT)
      await one.is('ready')
    }
    state.allowed = 10
    void page.now().sendMessage({ text: 'Again' })
    for (const one of [page, other]) await one.shows('Tell me', TEXT, 'Again', at(10))
    await transport.stop(id)
    await page.is('ready')
    const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
    expect(runs).toMatchObject([{ status: 'finished' }, { status: 'cancelled' }])
    expect([page.errors, other.errors, state.runs]).toEqual([[], [], 2])
  },
  60_000,
)
