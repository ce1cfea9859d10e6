import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { renderToString } from 'react-dom/server'
import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import { HeldlineProvider, useConnection, useMessages, useSession } from '../../src/react/index.ts'
import { until } from '../support/until.ts'

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

test('what a server has rendered of a session is not kept, though its client is', async () => {
  setFlagsFromString('--expose-gc')
  // What the flag gives.
  const collect = runInNewContext('gc') as () => void
  const client = createClient({ url: 'http://127.0.0.1:9', token: 'none' })
  onTestFinished(() => client.close())
  const seen: WeakRef<object>[] = []
  function One({ id }: { readonly id: string }) {
    seen.push(new WeakRef(useSession(id).session))
    return id
  }
  for (let n = 0; n < 100; n++) {
    renderToString(
      <HeldlineProvider client={client}>
        <One id={`chat-${n}`} />
      </HeldlineProvider>,
    )
  }
  expect(seen).toHaveLength(100)
  await until('nearly all are gone', () => {
    collect()
    return seen.filter((one) => one.deref() !== undefined).length <= 1
  })
})

test('outside of a provider it is said what is missing', () => {
  expect(() => renderToString(<Page />)).toThrow('<HeldlineProvider>')
})
