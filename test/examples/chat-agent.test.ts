import { afterAll, beforeAll, expect, test } from 'vitest'
import { answer } from '../../examples/chat/agent/answer.ts'
import { scriptedModel } from '../../examples/chat/agent/scripted-model.ts'
import { book } from '../../examples/chat/agent/tools.ts'
import { openRoom, type Room } from '../agent/support/setup.ts'
import { until } from '../support/until.ts'

const ID = 'chat-orders'
const SMALL = { cabins: 2, price: 284, currency: 'EUR' }
const LARGE = { cabins: 40, price: 5680.5, currency: 'EUR' }

let room: Room
beforeAll(async () => {
  room = await openRoom()
})
afterAll(() => room?.close())

const told = async (type: string) =>
  (await room.events(ID)).filter((event) => event.type === type).map(({ data }) => Object(data))

/** To the next question. */
const say = async (answer: boolean): Promise<void> => {
  const before = (await told('question.answered')).length
  await until('it is asked', async () => (await told('question.asked')).length > before)
  const { question } = (await told('question.asked'))[before]
  await room.ask('POST', `/sessions/${ID}/questions/${question}/answer`, { answer })
}

test('a yes to one order is none to another of the same run; the same order is asked for, and paid, once', async () => {
  await room.ask('PUT', `/sessions/${ID}`, {})
  const booking = room.agent
    .session(ID)
    .run({ agent: 'ferry-desk' }, async (run) => [
      await book(run, SMALL, 0),
      await book(run, LARGE, 0),
      await book(run, SMALL, 0),
    ])
  await say(true)
  await say(false)
  await booking
  const [run] = await told('run.finished')
  const booked = { booked: true, reference: 'KEL-GOT-1845' }
  expect(run.output).toEqual([booked, { refused: true }, booked])
  expect((await told('question.asked')).map(({ prompt }) => prompt)).toEqual([
    'Book 2 cabins for 284 EUR?',
    'Book 40 cabins for 5680.5 EUR?',
  ])
  expect(await told('effect.reserved')).toHaveLength(1)
})

test('what could not even be asked is not said to be booked', async () => {
  const id = 'chat-withdrawn'
  await room.agent.session(id).open()
  const input = await room.say(id, 'Book the two cabins on the night ferry')
  const answering = room.agent
    .session(id)
    .run({ agent: 'ferry-desk', trigger: String(input['input']) }, (run) =>
      answer(run, { model: scriptedModel(0), paceMs: 0 }),
    )
  const asked = async () => (await room.events(id)).find(({ type }) => type === 'question.asked')
  await until('it is asked', async () => (await asked()) !== undefined)
  const { question } = Object((await asked())?.data)
  await room.ask('POST', `/sessions/${id}/questions/${question}/withdraw`, {})
  await answering
  const [answered] = await room.answers(id)
  expect(answered).toContain('nobody has told me that anything is booked or paid')
  expect(answered).not.toContain('Done')
})
