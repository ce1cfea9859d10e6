// @vitest-environment jsdom
import type { UIMessage } from 'ai'
import { describe, expect } from 'vitest'
import { shownDirectly, streamOf, testRecorded } from '../../support/recorded.ts'
import { pause, until } from '../../support/until.ts'
import { useHouse } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()

const [[, version, useChat]] = HOOKS

describe('a real answer, through its provider’s package, streamText, a session and useChat [S3-10] [R3]', () => {
  testRecorded(
    '%s is the same message as without a session, over cut sockets, and after a reload',
    { timeout: 60_000 },
    async (answer) => {
      const id = await house.newSession()
      const [mine, reference] = answer.chunks().tee()
      const direct = shownDirectly(reference)
      let cuts = 0
      async function* withCuts(): AsyncGenerator {
        let count = 0
        for await (const chunk of streamOf(mine)) {
          if (++count % 40 === 0 && cuts < 3) {
            cuts++
            house.proxy.cut()
            await pause(30)
          }
          yield chunk
        }
      }
      // What is piped is in the session: it is not the run's output as well.
      house.agent(id, async (run) => void (await run.pipe(withCuts())))
      const transport = house.transport({ version })
      const page = await openPage(useChat, id, transport)
      await page.is('ready')
      await page.now().sendMessage({ text: 'as recorded' })
      await until('it is rendered', () => page.now().messages.length === 2)
      await page.is('ready')
      const expected = JSON.parse(JSON.stringify(await direct)) as UIMessage
      const shown = JSON.parse(JSON.stringify(page.now().messages[1])) as UIMessage
      expect(shown.parts).toEqual(expected.parts)
      expect(shown.metadata).toEqual(expected.metadata)
      expect(page.errors).toEqual([])
      const [, loaded] = await house.transport({ version }).loadMessages(id)
      expect(JSON.parse(JSON.stringify(loaded))).toEqual({ ...expected, id: shown.id })
    },
  )
})
