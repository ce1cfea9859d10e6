// @vitest-environment jsdom
import { Activity, StrictMode } from 'react'
import { expect, test } from 'vitest'
import {
  HeldlineProvider,
  useConnection,
  usePresence,
  useSession,
  type UseSessionOptions,
} from '../../src/react/index.ts'
import { until } from '../support/until.ts'
import { startRun, useRoom } from './support/room.ts'
import { render } from './support/render.ts'
import { Socket } from './support/socket.ts'

const room = useRoom()

function Reader({ id }: { readonly id: string }) {
  const { status, messages } = useSession(id)
  return (
    <p>
      {status}:{messages.map(({ parts }) => parts[0]?.text).join('|')};
    </p>
  )
}

function Other({ id }: { readonly id: string }) {
  return `${usePresence(id).length} ${useConnection()};`
}

const say = (id: string, text: string) =>
  room.ask('POST', `/sessions/${id}/events`, {
    type: 'message.completed',
    data: { message: `m-${text}`, role: 'assistant', parts: [{ type: 'text', text }] },
  })

test('ten components in a strict mode are one socket and one attachment, and show the same', async () => {
  const id = await room.newSession()
  await say(id, 'hello')
  const { WebSocket, traffic } = room.watched()
  const token = await room.token('ada')
  const page = await render(
    <StrictMode>
      <HeldlineProvider url={room.url} token={token} WebSocket={WebSocket}>
        {Array.from({ length: 10 }, (_, n) => (
          <Reader key={n} id={id} />
        ))}
        <Other id={id} />
      </HeldlineProvider>
    </StrictMode>,
  )
  await until('all show it', () => page.text() === `${'live:hello;'.repeat(10)}0 live;`, {
    instead: page.text,
  })
  await say(id, 'you')
  await until('all go on', () => page.text().startsWith('live:hello|you;'.repeat(10)))
  expect(traffic.sockets).toBe(1)
  expect(traffic.ops).toEqual(['attach'])
})

test('two providers of one client share its attachment, too', async () => {
  const id = await room.newSession()
  const { WebSocket, traffic } = room.watched()
  const client = room.client({ WebSocket })
  const page = await render(
    <>
      <HeldlineProvider client={client}>
        <Reader id={id} />
      </HeldlineProvider>
      <HeldlineProvider client={client}>
        <Reader id={id} />
      </HeldlineProvider>
    </>,
  )
  await until('both', () => page.text() === 'live:;live:;')
  expect(traffic).toMatchObject({ sockets: 1, ops: ['attach'] })
})

test('who goes detaches after a while, and cancels nothing: the run goes on [P-10.8] [R4]', async () => {
  const id = await room.newSession()
  const epoch = await startRun(room, id)
  const { WebSocket, traffic } = room.watched()
  const client = room.client({ WebSocket })
  const provided = (there: boolean) => (
    <HeldlineProvider client={client} lingerMs={20}>
      {there && <Reader id={id} />}
    </HeldlineProvider>
  )
  const page = await render(provided(true))
  await until('there', () => page.text() === 'live:;')
  await page.render(provided(false))
  await until('detached', () => traffic.ops.at(-1) === 'detach')
  expect(client.session(id).state).toBe('detached')
  await room.ask('POST', `/sessions/${id}/runs/r1/finish`, { output: 'done' }, epoch)
  expect((await room.events(id)).map(({ type }) => type)).toEqual([
    'session.created',
    'run.started',
    'run.finished',
  ])
  expect(traffic.ops).toEqual(['attach', 'detach'])
})

test('who comes back within the linger finds the attachment as it was, and everything there', async () => {
  const id = await room.newSession()
  const { WebSocket, traffic } = room.watched()
  const client = room.client({ WebSocket })
  const provided = (there: boolean) => (
    <HeldlineProvider client={client}>{there && <Reader id={id} />}</HeldlineProvider>
  )
  const page = await render(provided(true))
  await until('there', () => page.text() === 'live:;')
  await page.render(provided(false))
  await say(id, 'meanwhile')
  await until('taken', () => client.session(id).messages.length === 1)
  await page.render(provided(true))
  expect(page.text()).toBe('live:meanwhile;')
  expect(traffic).toMatchObject({ sockets: 1, ops: ['attach'] })
})

test('who comes back within the linger stays, when it is over, too', async () => {
  const [id, other] = [await room.newSession(), await room.newSession()]
  const client = room.client()
  const provided = (...ids: string[]) => (
    <HeldlineProvider client={client} lingerMs={100}>
      {ids.map((one) => (
        <Reader key={one} id={one} />
      ))}
    </HeldlineProvider>
  )
  const page = await render(provided(id, other))
  await until('there', () => page.text() === 'live:;live:;')
  await page.render(provided())
  await page.render(provided(id))
  // Left later, so that the time of the first is over with its own.
  await page.render(provided(id, other))
  await page.render(provided(id))
  await until('the other is left', () => client.session(other).state === 'detached')
  expect(client.session(id).state).toBe('live')
})

test('a provider that is hidden and shown again at once keeps its client', async () => {
  const [id, other] = [await room.newSession(), await room.newSession()]
  const token = await room.token('ada')
  const { WebSocket, traffic } = room.watched()
  const page = await render(null)
  const shown = (mode: 'visible' | 'hidden', ids: readonly string[]) =>
    page.render(
      <Activity mode={mode}>
        {ids.map((one) => (
          <HeldlineProvider
            key={one}
            url={room.url}
            token={token}
            WebSocket={WebSocket}
            lingerMs={100}
          >
            <Reader id={one} />
          </HeldlineProvider>
        ))}
      </Activity>,
    )
  await shown('visible', [id, other])
  await until('live', () => page.text() === 'live:;live:;')
  await shown('hidden', [id, other])
  await shown('visible', [id])
  await until('the other is closed', () => room.proxy.connections === 1)
  await say(id, 'still')
  await until('it goes on', () => page.text() === 'live:still;', { instead: page.text })
  expect(traffic.sockets).toBe(2)
})

test('who comes back later attaches again, and sees what was there at once', async () => {
  const id = await room.newSession()
  await say(id, 'before')
  const { WebSocket, traffic } = room.watched()
  const client = room.client({ WebSocket })
  const provided = (there: boolean) => (
    <HeldlineProvider client={client} lingerMs={0}>
      {there && <Reader id={id} />}
    </HeldlineProvider>
  )
  const page = await render(provided(true))
  await until('there', () => page.text() === 'live:before;')
  await page.render(provided(false))
  await until('detached', () => traffic.ops.includes('detach'))
  await say(id, 'meanwhile')
  await page.render(provided(true))
  expect(page.text()).toContain(':before')
  await until('all of it', () => page.text() === 'live:before|meanwhile;')
})

test('a component that goes to another session leaves the one before', async () => {
  const [one, two] = [await room.newSession(), await room.newSession()]
  await say(one, 'one')
  await say(two, 'two')
  const client = room.client()
  const provided = (id: string) => (
    <HeldlineProvider client={client} lingerMs={0}>
      <Reader id={id} />
    </HeldlineProvider>
  )
  const page = await render(provided(one))
  await until('one', () => page.text() === 'live:one;')
  await page.render(provided(two))
  await until('two', () => page.text() === 'live:two;')
  await until('left', () => client.session(one).state === 'detached')
})

test('who made a client closes it: the socket of a provider goes with it, that of a given client stays', async () => {
  const id = await room.newSession()
  const given = room.client()
  const token = await room.token('ada')
  let sockets: Socket[] = []
  class Kept extends Socket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets = [...sockets, this]
    }
  }
  const page = await render(
    <>
      <HeldlineProvider url={room.url} token={token} WebSocket={Kept} lingerMs={0}>
        <Reader id={id} />
      </HeldlineProvider>
      <HeldlineProvider client={given} lingerMs={0}>
        <Reader id={id} />
      </HeldlineProvider>
    </>,
  )
  await until('both', () => page.text() === 'live:;live:;')
  await page.unmount()
  await until('closed', () => sockets.every(({ closed }) => closed))
  expect(sockets).toHaveLength(1)
  await until('left', () => given.session(id).state === 'detached')
  given.session(id).attach()
  await until('of use', () => given.session(id).state === 'live')
})

test('the presence of a component is seen while it is there, and what changes of it [R11]', async () => {
  const id = await room.newSession()
  const client = room.client()
  function Typing({ status }: { readonly status: string }) {
    const { presence } = useSession(id, { presence: { status } })
    return presence.map((member) => `${member.subject} ${member.status}`).join()
  }
  const provided = (status: string | null) => (
    <HeldlineProvider client={client} lingerMs={0}>
      {status !== null && <Typing status={status} />}
    </HeldlineProvider>
  )
  const page = await render(provided('reading'))
  await until('seen', () => page.text() === 'ada reading')
  await page.render(provided('typing'))
  await until('changed', () => page.text() === 'ada typing')
  await page.render(provided(null))
  await until('gone', async () => {
    const { members } = await room.ask('GET', `/sessions/${id}/presence`)
    return (members as unknown[]).length === 0
  })
})

test('a session that is not there is shown as failed, with the reason; once it is there, that is gone', async () => {
  const client = room.client()
  function Failing() {
    const { status, error } = useSession('react-nowhere')
    return `${status} ${error?.code ?? ''}`
  }
  const page = await render(
    <HeldlineProvider client={client}>
      <Failing />
    </HeldlineProvider>,
  )
  await until('failed', () => page.text() === 'failed session_not_found', { instead: page.text })
  await room.ask('PUT', '/sessions/react-nowhere', {})
  client.session('react-nowhere').attach()
  await until('there', () => page.text() === 'live ', { instead: page.text })
})

test('what is hidden for longer than the linger lets go of its socket, and what is shown again has a new one', async () => {
  const id = await room.newSession()
  const { WebSocket, traffic } = room.watched()
  const token = await room.token('ada')
  const page = await render(null)
  const shown = (mode: 'visible' | 'hidden') =>
    page.render(
      <Activity mode={mode}>
        <HeldlineProvider url={room.url} token={token} WebSocket={WebSocket} lingerMs={0}>
          <Reader id={id} />
        </HeldlineProvider>
      </Activity>,
    )
  await shown('visible')
  await until('live', () => page.text() === 'live:;')
  await shown('hidden')
  await until('gone', () => room.proxy.connections === 0)
  await say(id, 'meanwhile')
  await shown('visible')
  await until('live again', () => page.text() === 'live:meanwhile;')
  expect(traffic.sockets).toBe(2)
})

test('with a client that is closed, before or meanwhile, a component shows that and stays', async () => {
  const id = await room.newSession()
  await say(id, 'before')
  const client = room.client()
  const page = await render(
    <HeldlineProvider client={client}>
      <Reader id={id} />
      <Other id={id} />
    </HeldlineProvider>,
  )
  await until('there', () => page.text() === 'live:before;0 live;', { instead: page.text })
  client.close()
  await until('closed', () => page.text() === 'live:before;0 closed;', { instead: page.text })
  const another = await render(
    <HeldlineProvider client={client}>
      <Reader id={await room.newSession()} />
      <Other id={id} />
    </HeldlineProvider>,
  )
  expect(another.text()).toBe('idle:;0 closed;')
})

test('what a component says no more of itself is seen no more [R11]', async () => {
  const id = await room.newSession()
  const client = room.client()
  function Person({ wish }: { readonly wish: Exclude<UseSessionOptions['presence'], undefined> }) {
    const { presence } = useSession(id, { presence: wish })
    return presence.map(({ status, data, visible }) => JSON.stringify({ status, data, visible }))
  }
  const provided = (wish: Parameters<typeof Person>[0]['wish']) => (
    <HeldlineProvider client={client}>
      <Person wish={wish} />
    </HeldlineProvider>
  )
  const page = await render(provided({ status: 'typing', data: { at: 'title' } }))
  const shows = (text: string) => until(text, () => page.text() === text, { instead: page.text })
  await shows('{"status":"typing","data":{"at":"title"},"visible":true}')
  await page.render(provided({ data: { at: 'text' } }))
  await shows('{"data":{"at":"text"},"visible":true}')
  await page.render(provided(true))
  await shows('{"visible":true}')
})
