// @vitest-environment jsdom
import type { ComponentType } from 'react'
import { expect, test, vi } from 'vitest'
import { HeldlineProvider, useSession } from '../../src/react/index.ts'
import { importExample, readPage } from '../support/docs-example.ts'
import { until } from '../support/until.ts'
import { render, whole } from './support/render.ts'
import { answering, useRoom } from './support/room.ts'
import { Socket } from './support/socket.ts'

const room = useRoom()
const docs = readPage('docs/react.md')

const click = (element: Element | null | undefined): Promise<void> =>
  whole(() => element?.dispatchEvent(new MouseEvent('click', { bubbles: true })))

test(
  'the first example: what is said is there, is answered, and who is there is seen',
  { timeout: 120_000 },
  async () => {
    vi.stubGlobal('WebSocket', Socket)
    vi.stubGlobal('fetchTokenFromYourBackend', () => room.token('ada'))
    const id = await room.newSession()
    const { App } = await importExample<{ readonly App: ComponentType }>(docs, 'chat', (text) =>
      text.replace('http://127.0.0.1:4400', room.url).replace('chat-1', id),
    )
    const page = await render(<App />)
    const { container } = page
    const instead = (): string => container.innerHTML
    await until('there', () => page.text() === '1 here, the agent is idle', { instead })
    const field = container.querySelector('input')
    if (field === null) throw new Error('there is no field')
    field.value = 'Hello'
    await whole(() => container.querySelector('form')?.requestSubmit())
    await until('said', () => container.querySelector('p')?.textContent === 'Hello', { instead })
    answering(room, id)
    await until('answered', () => container.querySelectorAll('p')[1]?.textContent === 'Answer 1', {
      instead,
    })
    // Else it would be the run before that works, and is stopped.
    await until('that is over', () => page.text().includes('idle'), { instead })
    await room.ask('POST', `/sessions/${id}/runs`, { run: 'r' })
    await until('it works', () => page.text().includes('thinking'), { instead })
    await click(container.querySelector('button'))
    await until('stopped', () => page.text().includes('idle'), { instead })
    expect(container.querySelector('button')).toBeNull()
  },
)

test('the arrows: from one answer to the other and back', async () => {
  const id = await room.newSession()
  const { Arrows } = await importExample<{
    readonly Arrows: ComponentType<{ readonly id: string; readonly message: string }>
  }>(docs, 'arrows')
  let say: (text: string) => Promise<unknown> = () => Promise.resolve()
  let again = (): Promise<unknown> => Promise.resolve()
  function Page() {
    const { messages, send, regenerate, status } = useSession(id)
    say = send
    again = () => regenerate()
    return (
      <>
        {status}
        {messages.map((message) => (
          <div key={message.id}>
            {message.parts[0]?.text}
            <Arrows id={id} message={message.id} />
          </div>
        ))}
      </>
    )
  }
  const page = await render(
    <HeldlineProvider client={room.client()}>
      <Page />
    </HeldlineProvider>,
  )
  const shows = (text: string) =>
    until(text, () => page.text() === text, { instead: () => page.text() })
  await shows('live')
  answering(room, id)
  await say('Hello')
  await shows('liveHelloAnswer 1')
  await again()
  await shows('liveHelloAnswer 2‹2/2›')
  const arrow = (text: string) =>
    [...page.container.querySelectorAll('button')].find((button) => button.textContent === text)
  expect(arrow('›')?.disabled).toBe(true)
  await click(arrow('‹'))
  await shows('liveHelloAnswer 1‹1/2›')
  await click(arrow('›'))
  await shows('liveHelloAnswer 2‹2/2›')
})

test('every example that the page marks is run here', () => {
  expect(docs.names).toEqual(['chat', 'arrows'])
})
