import { afterEach, describe, expect, test } from 'vitest'
import { API_KEY, startServerProcess, type ServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { FACES } from './faces.ts'
import { apiOf, Chat, Pace, serveSession } from './kit.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** As often as it takes: while the server is away there is nobody to resume from. */
async function resumeUntilThere(chat: Chat): Promise<void> {
  await until('the chat has resumed', async () => {
    await chat.resumeStream()
    return chat.status === 'ready'
  })
}

describe.each(FACES)('$name, when the server goes away', (face) => {
  test(
    'has the text whole and once after the server was killed in the middle of it, and so has a second device [P-18.4] [R14]',
    { timeout: 60_000 },
    async () => {
      const server: ServerProcess = await startServerProcess()
      cleanups.push(() => server.stop())
      const pace = new Pace('before the crash, and after the crash. ')
      const serving = await serveSession(server.url, API_KEY, 'restarted', (run) => pace.say(run))
      cleanups.push(() => serving.stop())
      const chat = new Chat('restarted', face.transport(server.url, API_KEY))
      const other = new Chat('restarted', face.transport(server.url, API_KEY))
      const sent = chat.sendMessage({ text: 'go on' })
      pace.allow(3)
      await until('three words are there', () => chat.text === pace.upTo(3))
      const watched = other.resumeStream()
      await until('the other has them, too', () => other.text === pace.upTo(3))
      await server.kill('SIGKILL')
      await Promise.all([sent, watched])
      expect([chat.status, other.status]).toEqual(['error', 'error'])
      await server.restart()
      const resumed = [resumeUntilThere(chat), resumeUntilThere(other)]
      pace.allow(5)
      await until('they follow', () => [chat, other].every(({ text }) => text === pace.upTo(5)))
      pace.allowAll()
      await Promise.all(resumed)
      expect(chat.lines).toEqual(['user: go on', `assistant: ${pace.text}`])
      expect(other.lines).toEqual([`assistant: ${pace.text}`])
      const { runs } = await apiOf(server.url, API_KEY).ask('GET', '/v1/sessions/restarted/runs')
      expect(runs).toMatchObject([{ status: 'finished' }])
    },
  )

  test(
    'breaks off where the node goes down in order: an end would mean that the answer is whole [P-18.4] [P-18.8] [R14]',
    { timeout: 60_000 },
    async () => {
      const server = await startServerProcess({ DRAIN_MS: '200' })
      cleanups.push(() => server.stop())
      const pace = new Pace('one half of it, and the other')
      const serving = await serveSession(server.url, API_KEY, 'drained', (run) => pace.say(run))
      cleanups.push(() => serving.stop())
      const chat = new Chat('drained', face.transport(server.url, API_KEY))
      const sent = chat.sendMessage({ text: 'go' })
      pace.allow(2)
      await until('words are there', () => chat.text === pace.upTo(2))
      await server.kill('SIGTERM')
      await sent
      expect(chat.status).toBe('error')
      expect(chat.errors).toMatchObject([expect.any(TypeError)])
      await server.restart()
      const resumed = resumeUntilThere(chat)
      await until('it follows', () => chat.status === 'streaming')
      pace.allowAll()
      await resumed
      expect(chat.lines).toEqual(['user: go', `assistant: ${pace.text}`])
    },
  )
})
