// @vitest-environment jsdom
import { startTransition, useDeferredValue, useLayoutEffect, useState } from 'react'
import { beforeEach, expect, test, vi } from 'vitest'
import { HeldlineProvider, useMessages, usePresence, useSession } from '../../src/react/index.ts'
import { FakeClock } from '../client/support/fake-clock.ts'
import { pause, until } from '../support/until.ts'
import { render, whole } from './support/render.ts'
import { startRun, useRoom } from './support/room.ts'

const room = useRoom()

/** Frames come when the test says so. */
let frames: (() => void)[] = []
beforeEach(() => {
  frames = []
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => frames.push(run))
  vi.stubGlobal('cancelAnimationFrame', () => undefined)
})
const frame = (): void => {
  for (const run of frames.splice(0)) run()
}

const append = (id: string, events: unknown, epoch?: number) =>
  room.ask('POST', `/sessions/${id}${epoch === undefined ? '' : '/runs/r1'}/events`, events, epoch)
const delta = (text: string) => ({ type: 'message.delta', data: { message: 'm', text } })
const started = { type: 'message.started', data: { message: 'm', role: 'assistant' } }

/** A page whose client knows no time but frames. */
async function live() {
  const id = await room.newSession()
  const client = room.client({ clock: new FakeClock() })
  const session = client.session(id)
  const reached = (serial: number) =>
    until(`at ${serial}`, () => session.view.position.serial >= serial)
  return { id, client, session, reached }
}

test('however many deltas a frame brings, a component renders once, with all of them', async () => {
  const { id, client, reached } = await live()
  await append(id, started)
  const shown: string[] = []
  function Text() {
    const { messages } = useSession(id)
    const text = messages[0]?.parts[0]?.text ?? ''
    shown.push(text)
    return text
  }
  const page = await render(
    <HeldlineProvider client={client}>
      <Text />
    </HeldlineProvider>,
  )
  await reached(2)
  await whole(frame)
  const before = shown.length
  const words = Array.from({ length: 100 }, (_, n) => `${n} `)
  for (const word of words) await append(id, delta(word))
  await reached(102)
  expect(shown).toHaveLength(before)
  await whole(frame)
  expect(shown.slice(before)).toEqual([words.join('')])
  expect(page.text()).toBe(words.join(''))
})

test('who reads presence, or one field, does not render for every token; arrays stay the same objects', async () => {
  const { id, client, reached } = await live()
  await append(id, started)
  await room.ask('PUT', `/sessions/${id}/presence/tab`, { kind: 'human', ttlMs: 60_000 })
  let presenceRenders = 0
  const seen = {
    runs: new Set<unknown>(),
    state: new Set<unknown>(),
    branch: new Set<unknown>(),
  }
  function Faces() {
    presenceRenders += 1
    return `${usePresence(id).length} `
  }
  function All() {
    const { runs, state, branch, messages } = useSession(id)
    seen.runs.add(runs)
    seen.state.add(state)
    seen.branch.add(branch)
    return messages[0]?.parts[0]?.text
  }
  const page = await render(
    <HeldlineProvider client={client}>
      <Faces />
      <All />
    </HeldlineProvider>,
  )
  await reached(3)
  await whole(frame)
  expect(page.text()).toBe('1 ')
  const before = presenceRenders
  for (const collected of Object.values(seen)) collected.clear()
  for (let n = 0; n < 20; n++) {
    await append(id, delta('x'))
    await reached(4 + n)
    await whole(frame)
  }
  expect(page.text()).toBe(`1 ${'x'.repeat(20)}`)
  expect(presenceRenders).toBe(before)
  expect([seen.runs.size, seen.state.size, seen.branch.size]).toEqual([1, 1, 1])
})

test('an event that changes nothing that is shown renders nothing', async () => {
  const { id, client, reached } = await live()
  let renders = 0
  function All() {
    renders += 1
    return useSession(id).status
  }
  const page = await render(
    <HeldlineProvider client={client}>
      <All />
    </HeldlineProvider>,
  )
  await reached(1)
  await until('live', async () => {
    await whole(frame)
    return page.text() === 'live' && client.state === 'live'
  })
  await whole(frame)
  const before = renders
  await append(id, { type: 'x.note', data: {} })
  await reached(2)
  await whole(frame)
  expect(renders).toBe(before)
})

test('in a transition that is interrupted again and again, all components of a commit show the same', async () => {
  const { id, client, session, reached } = await live()
  const cells = 30
  const rendered: string[] = []
  const commits: string[][] = []
  let show = (): void => undefined
  function Cell() {
    const text = useMessages(id).length.toString()
    rendered.push(text)
    // Longer than a slice of the scheduler: it yields after each.
    for (const end = performance.now() + 6; performance.now() < end;);
    return <i>{text}</i>
  }
  function Grid() {
    const [shown, setShown] = useState(false)
    show = () => setShown(true)
    const deferred = useDeferredValue(useMessages(id).length)
    useLayoutEffect(() => {
      const texts = [...document.querySelectorAll('i')].map((cell) => cell.textContent)
      if (texts.length > 0) commits.push(texts)
    })
    return (
      <p data-deferred={deferred}>
        {shown && Array.from({ length: cells }, (_, n) => <Cell key={n} />)}
      </p>
    )
  }
  const page = await render(
    <HeldlineProvider client={client}>
      <Grid />
    </HeldlineProvider>,
  )
  await reached(1)
  await whole(frame)
  startTransition(show)
  for (let n = 0; commits.length === 0; n++) {
    if (n < 20) void session.send(`said ${n}`)
    frame()
    await pause(0)
  }
  // The premise: what was rendered before the first commit was rendered of different moments.
  expect(new Set(rendered).size).toBeGreaterThan(1)
  await until('all there', () => {
    frame()
    return page.container.querySelector('p')?.dataset['deferred'] === '20'
  })
  for (const texts of commits) expect(new Set(texts).size).toBe(1)
  expect(commits.at(-1)).toEqual(Array.from({ length: cells }, () => '20'))
})

test('how the agent is: idle, thinking, streaming, waiting, stalled, idle again, with when it became so [R5] [S4-13]', async () => {
  const { id, client } = await live()
  const told: string[] = []
  let since: (number | null)[] = []
  function Agent() {
    const { agent, activeRuns } = useSession(id)
    const text = `${agent.state} ${activeRuns.length}`
    if (told.at(-1) !== text) {
      told.push(text)
      since = [...since, agent.since]
    }
    return text
  }
  const page = await render(
    <HeldlineProvider client={client}>
      <Agent />
    </HeldlineProvider>,
  )
  const becomes = (text: string) =>
    until(
      text,
      async () => {
        await whole(frame)
        return page.text() === text
      },
      { instead: page.text },
    )
  await becomes('idle 0')
  const epoch = await startRun(room, id)
  await becomes('thinking 1')
  await append(id, [started, delta('a')], epoch)
  await becomes('streaming 1')
  const path = `/sessions/${id}/runs/r1`
  await room.ask(
    'POST',
    `/sessions/${id}/questions`,
    { question: 'q', run: 'r1', prompt: 'Sure?' },
    epoch,
  )
  await becomes('waiting 1')
  await room.ask('POST', `/sessions/${id}/questions/q/answer`, { answer: true })
  await becomes('thinking 1')
  await room.ask('POST', `${path}/status`, { status: 'stalled' }, epoch)
  await becomes('stalled 1')
  await room.ask('POST', `${path}/finish`, {}, epoch)
  await becomes('idle 0')
  expect(told).toEqual([
    'idle 0',
    'thinking 1',
    'streaming 1',
    'waiting 1',
    'thinking 1',
    'stalled 1',
    'idle 0',
  ])
  expect(since[0]).toBeNull()
  const times = since.slice(1).map(Number)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})
