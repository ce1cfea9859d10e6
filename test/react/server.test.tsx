import { renderToString } from 'react-dom/server'
import { expect, test } from 'vitest'
import { HeldlineProvider, useConnection, useMessages, useSession } from '../../src/react/index.ts'

function Page() {
  const { status, agent, messages } = useSession('s')
  return `${status} ${agent.state} ${messages.length} ${useMessages('s').length} ${useConnection()}`
}

test('a server renders what is there before anything is, and connects to nothing', () => {
  let asked = 0
  const token = () => {
    asked += 1
    return Promise.resolve('a-token')
  }
  const page = (
    <HeldlineProvider url="http://127.0.0.1:9" token={token}>
      <Page />
    </HeldlineProvider>
  )
  expect(renderToString(page)).toBe('idle idle 0 0 idle')
  expect(asked).toBe(0)
})

test('outside of a provider it is said what is missing', () => {
  expect(() => renderToString(<Page />)).toThrow('<HeldlineProvider>')
})
