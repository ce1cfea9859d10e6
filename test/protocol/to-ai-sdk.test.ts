import { asSchema, readUIMessageStream, uiMessageChunkSchema } from 'ai'
import { readUIMessageStream as readUIMessageStream6 } from '../../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/index.mjs'
import { describe, expect, test } from 'vitest'
import type { Message } from '../../src/protocol/fold/message.ts'
import {
  toUiMessage,
  UiMessageTeller,
  type UiMessage,
  type UiMessageChunk,
} from '../../src/protocol/formats/to-ai-sdk.ts'
import { fold, statesOf } from '../agent/support/folded.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { testRecorded } from '../support/recorded.ts'
import { CHUNK_STREAMS } from './ai-sdk-chunks.ts'

type Chunks = readonly UiMessageChunk[]
type Read = (options: { stream: ReadableStream; onError: (error: unknown) => void }) => unknown

/** What the AI SDK makes of chunks, and the errors that it tells of. */
async function shownBy(read: Read, chunks: Chunks) {
  let shown: UiMessage | null = null
  const errors: string[] = []
  const stream = new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(structuredClone(chunk))
      controller.close()
    },
  })
  const onError = (error: unknown): void => void errors.push(String(error))
  for await (const state of read({ stream, onError }) as AsyncIterable<UiMessage>) shown = state
  return { shown: shown === null ? null : plain(shown), errors }
}

/** As JSON has it; the id is the session's. */
function plain(message: UiMessage): UiMessage {
  return JSON.parse(JSON.stringify({ ...message, id: 'm' })) as UiMessage
}

const seven: Read = readUIMessageStream as Read
const six: Read = readUIMessageStream6 as Read

/** The states between which somebody was not looking. */
function someOf(states: readonly Message[], random: FakeRandom, share: number): readonly Message[] {
  return states.filter((_, index) => index === states.length - 1 || random.chance(share))
}

/** What a reader is told who looks at some of the states; `null`: it had to begin anew. */
function toldOf(states: readonly Message[], options = {}): UiMessageChunk[] | null {
  const teller = new UiMessageTeller(options)
  const told: UiMessageChunk[] = []
  for (const state of states) {
    const chunks = teller.tell(state, 'overloaded')
    if (chunks === null) return null
    told.push(...chunks)
  }
  expect(teller.over).toBe(true)
  expect(teller.tell(states.at(-1) as Message)).toEqual([])
  return told
}

async function each(chunks: Chunks): Promise<void> {
  const schema = asSchema(uiMessageChunkSchema)
  for (const chunk of chunks) {
    const judged = await schema.validate?.(chunk)
    expect(judged, JSON.stringify(chunk)).toMatchObject({ success: true })
  }
}

/** The whole way: chunks, reader, events, fold, and back to what the AI SDK makes of the chunks themselves. */
async function expectTheSame(chunks: Chunks, seeds: number): Promise<void> {
  const direct = await shownBy(seven, chunks)
  const { drafts } = await fold(chunks.map((chunk) => structuredClone(chunk)))
  const states = statesOf(drafts)
  expect(plain(toUiMessage(states.at(-1) as Message))).toEqual(direct.shown)
  for (let seed = 0; seed < seeds; seed++) {
    const random = new FakeRandom(seed)
    const seen = seed === 0 ? states : someOf(states, random, random.fraction())
    const told = toldOf(seen) ?? []
    await each(told)
    const again = await shownBy(seven, told)
    expect(again.shown, `seed ${seed}`).toEqual(direct.shown)
    expect(again.errors.length).toBe(direct.errors.length)
  }
}

describe('a message comes back as the AI SDK makes it of the stream [S3-10] [R3]', () => {
  test.each(CHUNK_STREAMS)('%s', (_name, chunks) => expectTheSame(chunks, 40))

  testRecorded('%s, as its provider streamed it', { timeout: 60_000 }, async (answer) => {
    const chunks: UiMessageChunk[] = []
    for await (const chunk of answer.chunks({ generateMessageId: () => 'm' })) {
      chunks.push(JSON.parse(JSON.stringify(chunk)) as never)
    }
    await expectTheSame(chunks, 5)
  })
})

describe('for AI SDK 6', () => {
  /** It has no word for these. */
  const ONLY_7 = /^(reset-step|tool-approval-response|steering-message|custom|reasoning-file)$/
  const known = CHUNK_STREAMS.filter(([, chunks]) => !chunks.some(({ type }) => ONLY_7.test(type)))

  test.each(known)('%s is told as it would be directly', async (_name, chunks) => {
    const direct = await shownBy(six, chunks)
    const { drafts } = await fold(chunks.map((chunk) => structuredClone(chunk)))
    const told = toldOf(statesOf(drafts), { resetStep: false }) ?? []
    expect((await shownBy(six, told)).shown).toEqual(direct.shown)
  })
})

describe('where a message is written anew', () => {
  const write = async (...texts: readonly (readonly [string, string])[]) => {
    const chunks = texts.flatMap(([kind, text]) =>
      kind === 'step'
        ? [{ type: 'start-step' }]
        : [
            { type: 'text-start', id: '0' },
            { type: 'text-delta', id: '0', delta: text },
          ],
    )
    const { drafts } = await fold([{ type: 'start' }, ...chunks])
    return statesOf(drafts).filter(({ status }) => status === 'open')
  }
  const last = (states: readonly Message[]): Message => states.at(-1) as Message
  const over = (message: Message): Message => ({ ...message, status: 'completed' })

  test('nothing is told while it may come to the same', async () => {
    const teller = new UiMessageTeller()
    const first = last(await write(['step', ''], ['text', 'Hello world']))
    const [empty, half] = [
      { ...first, parts: [] },
      last(await write(['step', ''], ['text', 'Hello'])),
    ]
    teller.tell(first)
    expect(teller.tell(empty)).toEqual([])
    expect(teller.tell(half)).toEqual([])
    const more = last(await write(['step', ''], ['text', 'Hello world, again']))
    expect(teller.tell(more)).toEqual([{ type: 'text-delta', id: 'p1', delta: ', again' }])
  })

  test('a difference in the last step takes that step back', async () => {
    const first = last(await write(['step', ''], ['text', 'Kept'], ['step', ''], ['text', 'Hello']))
    const anew = over(
      last(await write(['step', ''], ['text', 'Kept'], ['step', ''], ['text', 'Bye'])),
    )
    const told = toldOf([first, anew]) ?? []
    expect(told.filter(({ type }) => type === 'reset-step')).toHaveLength(1)
    expect((await shownBy(seven, told)).shown?.parts.map((part) => part['text'])).toEqual([
      undefined,
      'Kept',
      undefined,
      'Bye',
    ])
  })

  test('less than was told, and over, takes the rest back', async () => {
    const first = last(await write(['step', ''], ['text', 'Hello']))
    const told = toldOf([
      first,
      { ...first, parts: first.parts.slice(0, 1), status: 'interrupted' },
    ])
    expect((await shownBy(seven, told ?? [])).shown?.parts).toEqual([{ type: 'step-start' }])
  })

  test('a difference before the last step, or for a reader without `reset-step`, is said: it begins anew', async () => {
    const first = last(await write(['step', ''], ['text', 'Hello'], ['step', ''], ['text', 'x']))
    const anew = last(await write(['step', ''], ['text', 'Bye']))
    const teller = new UiMessageTeller()
    teller.tell(first)
    expect(teller.tell(anew)).toBeNull()
    const six = new UiMessageTeller({ resetStep: false })
    six.tell(last(await write(['text', 'Hello'])))
    expect(six.tell(last(await write(['text', 'Bye'])))).toBeNull()
  })
})

test('what people said comes back as they said it, and what only Heldline knows as data', () => {
  const message: Message = {
    id: 'u',
    role: 'user',
    parent: null,
    status: 'completed',
    metadata: {},
    by: 'ann',
    startedAt: 0,
    updatedAt: 0,
    first: 1,
    serial: 1,
    parts: [
      { type: 'text', text: 'Look:' },
      { type: 'file', mediaType: 'image/png', url: 'https://x.test/a.png', filename: 'a.png' },
      { type: 'data-place', dataId: 'p 1', data: { at: 1 } },
      { type: 'location', id: 'l', at: 2 },
    ],
  }
  expect(toUiMessage(message)).toEqual({
    id: 'u',
    role: 'user',
    parts: [
      { type: 'text', text: 'Look:' },
      { type: 'file', mediaType: 'image/png', url: 'https://x.test/a.png', filename: 'a.png' },
      { type: 'data-place', id: 'p 1', data: { at: 1 } },
      { type: 'data-location', id: 'l', data: { at: 2 } },
    ],
  })
})
