// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { HeldlineProvider, useSession, type SessionHandle } from '../../src/react/index.ts'
import { until } from '../support/until.ts'
import { render, whole } from './support/render.ts'
import { answering, startRun, useRoom } from './support/room.ts'

const room = useRoom()

/** A page of one session, as somebody; and what it shows. */
async function page(id: string, subject = 'ada') {
  let handle: SessionHandle | undefined
  function Page() {
    handle = useSession(id)
    return null
  }
  const token = await room.token(subject)
  const client = room.client({ token })
  await render(
    <HeldlineProvider client={client}>
      <Page />
    </HeldlineProvider>,
  )
  const now = (): SessionHandle => {
    if (handle === undefined) throw new Error('nothing was rendered')
    return handle
  }
  await until('live', () => now().status === 'live')
  const texts = () => now().messages.map(({ parts }) => parts[0]?.text)
  const shows = (...expected: string[]) =>
    until(expected.join(), () => JSON.stringify(texts()) === JSON.stringify(expected), {
      instead: () => now().messages,
    })
  return { now, texts, shows }
}

test('what is said is there at once, and an agent answers it', async () => {
  const id = await room.newSession()
  const { now, shows } = await page(id)
  const sent = now().send('Hello')
  // Before anything can have been heard of it.
  expect(now().session().messages[0]?.pending).toBe(true)
  await sent
  expect(now().inputs.length).toBeLessThanOrEqual(1)
  answering(room, id)
  await shows('Hello', 'Answer 1')
  expect(now().messages[1]?.parent).toBe(now().messages[0]?.id)
})

test('regenerate: another answer beside the first, which can be looked at again; what is said then goes on from there [S3-11] [P-16.5]', async () => {
  const id = await room.newSession()
  const { now, shows } = await page(id)
  answering(room, id)
  await now().send('Hello')
  await shows('Hello', 'Answer 1')
  await now().regenerate()
  await shows('Hello', 'Answer 2')
  await now().regenerate(now().messages.at(-1)?.id)
  await shows('Hello', 'Answer 3')
  const alternatives = now().branch.siblings('answer-3')
  expect(alternatives).toEqual(['answer-1', 'answer-2', 'answer-3'])
  await whole(() => now().branch.select('answer-1'))
  await shows('Hello', 'Answer 1')
  expect(now().branch.selected).toBe('answer-1')
  await now().send('Go on')
  await shows('Hello', 'Answer 1', 'Go on', 'Answer 4')
  const { messages } = await room.ask('GET', `/sessions/${id}/messages?to=answer-4`)
  expect((messages as { readonly id: string }[]).map((message) => message.id)).not.toContain(
    'answer-3',
  )
  expect(now().branch.siblings('answer-1')).toEqual(alternatives)
  await whole(() => now().branch.select('answer-2'))
  await shows('Hello', 'Answer 2')
  await now().regenerate()
  await shows('Hello', 'Answer 5')
  await whole(() => now().branch.select('answer-2'))
  await now().edit(now().messages[0]?.id ?? '', 'Good day')
  await shows('Good day', 'Answer 6')
})

test('edit: another message in the place of what was said, answered by itself [P-16.5]', async () => {
  const id = await room.newSession()
  const { now, shows } = await page(id)
  answering(room, id)
  await now().send('Helo')
  await shows('Helo', 'Answer 1')
  const [first] = now().messages
  await now().edit(first?.id ?? '', 'Hello')
  await shows('Hello', 'Answer 2')
  const [second] = now().messages
  expect(second?.parent).toBe(first?.parent)
  expect(now().branch.siblings(second?.id ?? '')).toEqual([first?.id, second?.id])
  await expect(now().edit('answer-2', 'No')).rejects.toThrow(TypeError)
  await expect(now().regenerate('nothing')).rejects.toThrow(TypeError)
})

test('a branch is one’s own until it is shared; who has selected something keeps it [P-16.7]', async () => {
  const id = await room.newSession()
  const ada = await page(id)
  const bob = await page(id, 'bob')
  answering(room, id)
  await ada.now().send('Hello')
  await bob.shows('Hello', 'Answer 1')
  await ada.now().regenerate()
  await bob.shows('Hello', 'Answer 2')
  await whole(() => ada.now().branch.select('answer-1'))
  await ada.shows('Hello', 'Answer 1')
  expect(bob.texts()).toEqual(['Hello', 'Answer 2'])
  await ada.now().branch.share()
  await bob.shows('Hello', 'Answer 1')
  await whole(() => bob.now().branch.select('answer-2'))
  await bob.shows('Hello', 'Answer 2')
  await whole(() => bob.now().branch.select(null))
  await bob.shows('Hello', 'Answer 1')
})

test('steer is for the run that lives; cancel without a target ends what lives now [R1] [R10]', async () => {
  const id = await room.newSession()
  const { now } = await page(id)
  expect(await now().cancel()).toBe(false)
  await startRun(room, id, 'r1')
  await startRun(room, id, 'r2')
  await until('both', () => now().activeRuns.length === 2)
  await now().steer('A little more to the left', { run: 'r1' })
  await until('it waits', () =>
    now().inputs.some(({ mode, run }) => mode === 'steer' && run === 'r1'),
  )
  expect(await now().cancel()).toBe(true)
  await until('over', () => now().activeRuns.length === 0)
  expect(now().runs.map(({ status }) => status)).toEqual(['cancelled', 'cancelled'])
  expect(now().agent.state).toBe('idle')
})

test('interrupt stops the run that lives, and what is said waits for the next [P-11.2]', async () => {
  const id = await room.newSession()
  const { now, shows } = await page(id)
  await startRun(room, id)
  await until('it lives', () => now().agent.state === 'thinking')
  expect(await now().interrupt('Wait!')).toMatchObject({ outcome: 'delivered' })
  await shows('Wait!')
  expect(now().runs[0]?.status).toBe('cancelled')
  answering(room, id)
  await shows('Wait!', 'Answer 1')
})

test('what interrupts goes on from where one looks, as what is sent does [P-16.5]', async () => {
  const id = await room.newSession()
  const { now, shows } = await page(id)
  for (const [message, parent] of [
    ['first', null],
    ['second', null],
  ]) {
    const parts = [{ type: 'text', text: message }]
    const data = { message, role: 'assistant', parent, parts }
    await room.ask('POST', `/sessions/${id}/events`, { type: 'message.completed', data })
  }
  await shows('second')
  await whole(() => now().branch.select('first'))
  await shows('first')
  await startRun(room, id)
  await until('it lives', () => now().agent.state === 'thinking')
  await now().interrupt('Wait!')
  await shows('first', 'Wait!')
})

test('a question is answered, the state is set, and both are seen', async () => {
  const id = await room.newSession()
  const { now } = await page(id)
  await room.ask('POST', `/sessions/${id}/questions`, { question: 'q', prompt: 'Tea?' })
  await until('asked', () => now().questions[0]?.status === 'open')
  await now().answer('q', 'yes')
  expect(await now().setState('plan', { tea: true })).toBe(1)
  await until('seen', () => now().state['plan'] !== undefined)
  expect(now().state).toEqual({ plan: { tea: true } })
  expect(now().questions[0]).toMatchObject({ status: 'answered', answer: 'yes' })
  await expect(now().setState('plan', 1, { ifVersion: 7 })).rejects.toMatchObject({
    code: 'version_conflict',
  })
})

test('the verbs are the same functions for as long as the session is', async () => {
  const id = await room.newSession()
  const { now, shows } = await page(id)
  const { send, cancel, branch } = now()
  await send('Hello')
  await shows('Hello')
  expect([now().send, now().cancel, now().branch.select]).toEqual([send, cancel, branch.select])
  expect(now().session().id).toBe(id)
})
