// @vitest-environment jsdom
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ComponentType } from 'react'
import { expect, onTestFinished, test, vi } from 'vitest'
import { HeldlineProvider, useSession } from '../../src/react/index.ts'
import { until } from '../support/until.ts'
import { render, whole } from './support/render.ts'
import { answering, useRoom } from './support/room.ts'
import { Socket } from './support/socket.ts'

const room = useRoom()
const root = join(import.meta.dirname, '../..')

/** The block of docs/react.md that follows `<!-- run: name -->`, as the module that it is. */
async function example<T>(name: string, change = (text: string) => text): Promise<T> {
  const page = await readFile(join(root, 'docs/react.md'), 'utf8')
  const block = new RegExp(`<!-- run: ${name} -->\n\`\`\`tsx\n([\\s\\S]*?)\n\`\`\``).exec(page)?.[1]
  if (block === undefined) throw new Error(`docs/react.md has no example ${name}`)
  // Within the package, as a file of it: it finds React and us.
  const folder = await mkdtemp(join(root, '.vitest-docs-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, `${name}.tsx`)
  await writeFile(file, change(block))
  return (await import(/* @vite-ignore */ file)) as T
}

const click = (element: Element | null | undefined): Promise<void> =>
  whole(() => element?.dispatchEvent(new MouseEvent('click', { bubbles: true })))

test('the first example: what is said is there, is answered, and who is there is seen', async () => {
  vi.stubGlobal('WebSocket', Socket)
  vi.stubGlobal('fetchTokenFromYourBackend', () => room.token('ada'))
  const id = await room.newSession()
  const { App } = await example<{ readonly App: ComponentType }>('chat', (text) =>
    text.replace('http://127.0.0.1:4400', room.url).replace('chat-1', id),
  )
  const page = await render(<App />)
  await until('there', () => page.text() === '1 here, the agent is idle', {
    instead: () => page.text(),
  })
  const { container } = page
  const field = container.querySelector('input')
  if (field === null) throw new Error('there is no field')
  field.value = 'Hello'
  await whole(() => container.querySelector('form')?.requestSubmit())
  await until('said', () => container.querySelector('p')?.textContent === 'Hello')
  answering(room, id)
  await until('answered', () => container.querySelectorAll('p')[1]?.textContent === 'Answer 1')
  await room.ask('POST', `/sessions/${id}/runs`, { run: 'r' })
  await until('it works', () => page.text().includes('thinking'))
  await click(container.querySelector('button'))
  await until('stopped', () => page.text().includes('idle'))
  expect(container.querySelector('button')).toBeNull()
})

test('the arrows: from one answer to the other and back', async () => {
  const id = await room.newSession()
  const { Arrows } = await example<{
    readonly Arrows: ComponentType<{ readonly id: string; readonly message: string }>
  }>('arrows')
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

test('every example that the page marks is run here', async () => {
  const page = await readFile(join(root, 'docs/react.md'), 'utf8')
  const marked = [...page.matchAll(/<!-- run: (\S+) -->/g)].map((match) => match[1])
  expect(marked).toEqual(['chat', 'arrows'])
})
