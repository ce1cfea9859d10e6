import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { Pipeable } from '../../src/agent/index.ts'
import type { Message } from '../../src/protocol/fold/message.ts'
import type { Part } from '../../src/protocol/messages.ts'
import { searchChunks } from '../support/ui-message-chunks.ts'
import { until } from '../support/until.ts'
import { fold } from './support/folded.ts'

async function* each(chunks: readonly unknown[]): AsyncGenerator {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}

/** One answer in every form: it thinks, calls a tool, and says what came of it. */
const ANSWER = [
  { type: 'reasoning', id: 'p1', text: 'Let me look.' },
  {
    type: 'tool',
    id: 'tool-call_1',
    call: 'call_1',
    name: 'search',
    state: 'done',
    input: { query: 'tea' },
    output: { hits: 2 },
  },
  { type: 'text', id: 'p2', text: 'There are two.' },
]

const uiMessageStream = [
  { type: 'start', messageId: 'theirs' },
  { type: 'start-step' },
  { type: 'reasoning-start', id: '0' },
  { type: 'reasoning-delta', id: '0', delta: 'Let me' },
  { type: 'reasoning-delta', id: '0', delta: ' look.' },
  { type: 'reasoning-end', id: '0' },
  ...searchChunks,
  { type: 'finish-step' },
  { type: 'start-step' },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: 'There are' },
  { type: 'text-delta', id: '0', delta: ' two.' },
  { type: 'text-end', id: '0' },
  { type: 'finish-step' },
  { type: 'finish', finishReason: 'stop' },
]

const fullStream = [
  { type: 'start' },
  { type: 'start-step', request: {}, warnings: [] },
  { type: 'reasoning-start', id: '0' },
  { type: 'reasoning-delta', id: '0', text: 'Let me look.' },
  { type: 'reasoning-end', id: '0' },
  { type: 'tool-input-start', id: 'call_1', toolName: 'search' },
  { type: 'tool-input-delta', id: 'call_1', delta: '{"query":"tea"}' },
  { type: 'tool-input-end', id: 'call_1' },
  { type: 'tool-call', toolCallId: 'call_1', toolName: 'search', input: { query: 'tea' } },
  { type: 'tool-result', toolCallId: 'call_1', toolName: 'search', output: { hits: 2 } },
  { type: 'finish-step' },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', text: 'There are two.' },
  { type: 'text-end', id: '0' },
  { type: 'finish', finishReason: 'stop' },
]

const agUi = [
  { type: 'RUN_STARTED', threadId: 't', runId: 'r' },
  { type: 'TEXT_MESSAGE_START', messageId: 'q', role: 'user' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'q', delta: 'How much tea is there?' },
  { type: 'TEXT_MESSAGE_END', messageId: 'q' },
  { type: 'REASONING_START', messageId: 'think' },
  { type: 'REASONING_MESSAGE_START', messageId: 'think', role: 'reasoning' },
  { type: 'REASONING_MESSAGE_CONTENT', messageId: 'think', delta: 'Let me look.' },
  { type: 'REASONING_MESSAGE_END', messageId: 'think' },
  { type: 'REASONING_END', messageId: 'think' },
  { type: 'TOOL_CALL_START', toolCallId: 'call_1', toolCallName: 'search' },
  { type: 'TOOL_CALL_ARGS', toolCallId: 'call_1', delta: '{"query":' },
  { type: 'TOOL_CALL_ARGS', toolCallId: 'call_1', delta: '"tea"}' },
  { type: 'TOOL_CALL_END', toolCallId: 'call_1' },
  { type: 'TOOL_CALL_RESULT', messageId: 'x', toolCallId: 'call_1', content: '{"hits":2}' },
  { type: 'STATE_SNAPSHOT', snapshot: { any: 'thing' } },
  { type: 'TEXT_MESSAGE_START', messageId: 'a', role: 'assistant' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta: 'There are ' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta: 'two.' },
  { type: 'TEXT_MESSAGE_END', messageId: 'a' },
  { type: 'RUN_FINISHED', threadId: 't', runId: 'r', outcome: { type: 'success' } },
]

const agUiChunks = [
  { type: 'THINKING_START' },
  { type: 'THINKING_TEXT_MESSAGE_START' },
  { type: 'THINKING_TEXT_MESSAGE_CONTENT', delta: 'Let me look.' },
  { type: 'THINKING_TEXT_MESSAGE_END' },
  { type: 'THINKING_END' },
  { type: 'TOOL_CALL_CHUNK', toolCallId: 'call_1', toolCallName: 'search', delta: '{"que' },
  { type: 'TOOL_CALL_CHUNK', delta: 'ry":"tea"}' },
  { type: 'TOOL_CALL_RESULT', toolCallId: 'call_1', content: '{"hits":2}' },
  { type: 'TEXT_MESSAGE_CHUNK', messageId: 'a', role: 'assistant', delta: 'There are' },
  { type: 'TEXT_MESSAGE_CHUNK', delta: ' two.' },
]

const thought = { additional_kwargs: { reasoning_content: 'Let me look.' } }
const langGraph = [
  ['tasks', { id: '1', name: 'model', input: {}, triggers: [] }],
  ['messages', [{ type: 'AIMessageChunk', id: 'run-1', content: '', ...thought }, {}]],
  [
    'messages',
    [
      {
        type: 'AIMessageChunk',
        id: 'run-1',
        content: '',
        tool_call_chunks: [{ index: 0, id: 'call_1', name: 'search', args: '{"query":' }],
      },
      {},
    ],
  ],
  [
    'messages',
    [
      {
        type: 'AIMessageChunk',
        id: 'run-1',
        content: '',
        tool_call_chunks: [{ index: 0, args: '"tea"}' }],
      },
      {},
    ],
  ],
  ['updates', { model: { messages: [] } }],
  [
    'messages',
    [{ type: 'tool', id: 't', tool_call_id: 'call_1', name: 'search', content: '{"hits":2}' }, {}],
  ],
  ['updates', { tools: { messages: [] } }],
  [[], 'messages', [{ getType: () => 'ai', id: 'run-2', content: 'There are' }, {}]],
  [
    'messages',
    [{ getType: () => 'ai', id: 'run-2', content: [{ type: 'text', text: ' two.' }] }, {}],
  ],
  [
    'checkpoints',
    { config: { configurable: { thread_id: 't', checkpoint_id: 'c', checkpoint_ns: '' } } },
  ],
]

/** What people read of it: without where steps begin, and what a stream calls its parts. */
function read(message: Message | undefined): readonly Part[] {
  return (message?.parts ?? [])
    .filter(({ type }) => type !== 'step-start')
    .map(({ streamId: _name, ...part }) => part)
}

describe('one answer, however it is written, is one message with the same parts', () => {
  test.each<[string, readonly unknown[]]>([
    ['a UI message stream of the AI SDK', uiMessageStream],
    ['the full stream of the AI SDK', fullStream],
    ['events of AG-UI', agUi],
    ['events of AG-UI in chunks', agUiChunks],
    ['tuples of LangGraph', langGraph],
  ])('%s', async (_name, chunks) => {
    const { message, piped } = await fold(each(chunks))
    expect(message).toMatchObject({ role: 'assistant', status: 'completed' })
    expect(read(message)).toEqual(ANSWER)
    expect(piped).toMatchObject({ message: 'm', text: 'There are two.', status: 'completed' })
    // What the writer says that it wrote is what people see.
    expect(piped?.parts).toEqual(message?.parts)
  })

  const bytes = new TextEncoder().encode('Tea: 🍵 twice.')
  test.each<[string, () => Pipeable]>([
    ['a list of strings', () => ['Tea: ', '🍵', ' twice.']],
    ['an iterable of strings', () => each(['Tea: ', '🍵', ' twice.'])],
    ['strings that are cut within a character', () => each(['Tea: \ud83c', '\udf75', ' twice.'])],
    ['one string', () => 'Tea: 🍵 twice.'],
    ['a web stream of strings', () => webStream(['Tea: 🍵', ' twice.'])],
    ['a web stream of bytes', () => webStream([...bytes].map((b) => Uint8Array.of(b)))],
    ['a Node stream of text', () => Readable.from(['Tea: 🍵', ' twice.'])],
    ['a Node stream of bytes', () => Readable.from([...bytes].map((b) => Buffer.of(b)))],
    ['a web stream that cannot be iterated', () => notIterable(['Tea: 🍵', ' twice.'])],
  ])('%s', async (_name, stream) => {
    const { message } = await fold(stream())
    expect(message?.parts).toEqual([{ type: 'text', id: 'p1', text: 'Tea: 🍵 twice.' }])
  })

  test('half a character that never becomes a whole one is shown as such', async () => {
    const { message } = await fold(each(['so \ud83c']))
    expect(message?.parts).toEqual([{ type: 'text', id: 'p1', text: 'so \ufffd' }])
  })

  test('a stream of nothing is no message', async () => {
    expect((await fold(each([]))).drafts).toEqual([])
    expect((await fold(each(['', { type: 'start' }, { type: 'finish' }]))).drafts).toEqual([])
  })
})

describe('of the AI SDK', () => {
  test('files, sources, data and metadata are kept; what is transient is not', async () => {
    const { message } = await fold(
      each([
        { type: 'start', messageMetadata: { model: 'm1' } },
        { type: 'file', url: 'https://x.test/a.png', mediaType: 'image/png' },
        { type: 'file', file: { base64: 'QUJD', mediaType: 'text/plain' } },
        { type: 'source-url', sourceId: 's/1', url: 'https://x.test', title: 'X' },
        { type: 'data-weather', id: 'w', data: { state: 'loading' } },
        { type: 'data-weather', id: 'w', data: { state: 'sunny' } },
        { type: 'data-note', data: 'once', transient: true },
        { type: 'custom', kind: 'a.b', value: 1 },
        { type: 'something-new', value: 1 },
        { type: 'finish', messageMetadata: { tokens: 7 } },
      ]),
    )
    expect(message?.parts).toEqual([
      { type: 'file', id: 'p1', url: 'https://x.test/a.png', mediaType: 'image/png' },
      { type: 'file', id: 'p2', url: 'data:text/plain;base64,QUJD', mediaType: 'text/plain' },
      { type: 'source', id: 'source-s_1', sourceId: 's/1', url: 'https://x.test', title: 'X' },
      { type: 'data-weather', id: 'data-weather-w', data: { state: 'sunny' } },
      { type: 'custom', id: 'p3', kind: 'a.b', value: 1 },
    ])
    expect(message?.metadata).toEqual({ model: 'm1', tokens: 7 })
  })

  test('a step that is tried again takes back what it wrote', async () => {
    const { message } = await fold(
      each([
        { type: 'start-step' },
        { type: 'text-delta', id: '0', delta: 'Kept.' },
        { type: 'start-step' },
        { type: 'text-delta', id: '0', delta: 'Wrong' },
        { type: 'tool-input-start', toolCallId: 'c', toolName: 't' },
        { type: 'reset-step' },
        { type: 'text-delta', id: '0', delta: 'Right.' },
      ]),
    )
    expect(read(message).map(({ text }) => text)).toEqual(['Kept.', 'Right.'])
  })

  test.each([
    [
      { type: 'tool-output-error', errorText: 'no network' },
      { state: 'failed', error: 'no network' },
    ],
    [{ type: 'tool-output-denied' }, { state: 'denied' }],
    [
      { type: 'tool-output-available', output: 1, preliminary: true },
      { state: 'running', output: 1 },
    ],
    [
      { type: 'tool-approval-request', approvalId: 'a' },
      { state: 'approval', approval: { id: 'a' } },
    ],
  ])('%j is a state of the call', async (chunk, shown) => {
    const call = { type: 'tool-input-available', toolCallId: 'c', toolName: 't', input: {} }
    const { message } = await fold(each([call, { ...chunk, toolCallId: 'c' }]))
    expect(message?.parts).toMatchObject([{ type: 'tool', name: 't', input: {}, ...shown }])
  })

  test('an approval that is answered is a call again, or denied', async () => {
    const asked = [
      { type: 'tool-input-available', toolCallId: 'c', toolName: 't', input: {} },
      { type: 'tool-approval-request', toolCallId: 'c', approvalId: 'a' },
    ]
    const answer = (approved: boolean) => ({
      type: 'tool-approval-response',
      approvalId: 'a',
      approved,
    })
    expect((await fold(each([...asked, answer(true)]))).message?.parts).toMatchObject([
      { state: 'called', approval: { id: 'a', approved: true } },
    ])
    expect((await fold(each([...asked, answer(false)]))).message?.parts).toMatchObject([
      { state: 'denied' },
    ])
  })
})

describe('a stream that does not end well', () => {
  const begun = ['So far so ']

  test.each([
    ['an error of the AI SDK', { type: 'error', errorText: 'overloaded' }],
    ['an error of AG-UI', { type: 'RUN_ERROR', message: 'overloaded' }],
  ])('%s fails the message and is thrown', async (_name, chunk) => {
    const { message, error } = await fold(each([...begun, chunk, 'never read']))
    expect(error).toMatchObject({ code: 'stream_failed', message: 'overloaded' })
    expect(message).toMatchObject({ status: 'failed', parts: [{ text: 'So far so ' }] })
  })

  test('what it throws is thrown, and the message has failed', async () => {
    const broken = new Error('socket hang up')
    async function* breaking(): AsyncGenerator<string> {
      yield 'So far so '
      throw await Promise.resolve(broken)
    }
    const { message, error } = await fold(breaking())
    expect(error).toBe(broken)
    expect(message).toMatchObject({ status: 'failed', parts: [{ text: 'So far so ' }] })
  })

  test.each([
    [{ type: 'abort', reason: 'stopped' }],
    [{ type: 'finish', finishReason: 'interrupted' }],
    [{ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } }],
  ])('%j interrupts the message', async (chunk) => {
    const { message, piped } = await fold(each([...begun, chunk]))
    expect(message?.status).toBe('interrupted')
    expect(piped?.status).toBe('interrupted')
  })

  test('a chunk of no form is refused', async () => {
    const { error } = await fold(each([...begun, { neither: 'this nor that' }]))
    expect(error).toBeInstanceOf(TypeError)
  })

  test('the signal ends the reading, also of a stream that is silent; what it holds is let go', async () => {
    const stop = new AbortController()
    let cancelled = false
    const silent = new ReadableStream<string>({
      start: (controller) => controller.enqueue('So far so '),
      cancel: () => void (cancelled = true),
    })
    const folding = fold(notIterable(silent), stop.signal)
    const reason = new Error('cancelled')
    stop.abort(reason)
    expect((await folding).error).toBe(reason)
    await until('the stream was cancelled', () => cancelled)
  })
})

describe('of LangGraph', () => {
  test('steps, checkpoints and interrupts are told; custom data is kept', async () => {
    const { message, piped, steps, checkpoints } = await fold(
      each([
        ...langGraph,
        ['custom', { progress: 0.5 }],
        ['values', { messages: [] }],
        [
          'checkpoints',
          {
            config: { configurable: { thread_id: 't', checkpoint_id: 's', checkpoint_ns: 'sub' } },
          },
        ],
        ['updates', { __interrupt__: [{ id: 'i1', value: 'Pay 5 €?' }] }],
      ]),
    )
    expect(steps).toEqual(['model', 'model', 'tools'])
    expect(checkpoints).toEqual([{ thread: 't', id: 'c' }])
    expect(piped?.interrupts).toEqual([{ id: 'i1', value: 'Pay 5 €?' }])
    expect(message?.parts.at(-1)).toMatchObject({ type: 'data-custom', data: { progress: 0.5 } })
  })

  test('messages as they are written to the wire are read, too', async () => {
    const kwargs = { id: 'run-1', content: 'Hello', tool_calls: [], additional_kwargs: {} }
    const message = { lc: 1, type: 'constructor', id: ['x', 'AIMessageChunk'], kwargs }
    const folded = await fold(each([['messages', [message, {}]]]))
    expect(folded.message?.parts).toEqual([{ type: 'text', id: 'p1', text: 'Hello' }])
  })
})

test('a part that no event can hold loses its largest field, and says so', async () => {
  const { message } = await fold(
    each([
      { type: 'tool-input-available', toolCallId: 'c', toolName: 'read', input: { file: 'big' } },
      { type: 'tool-output-available', toolCallId: 'c', output: '€'.repeat(50_000) },
    ]),
  )
  expect(message?.parts).toEqual([
    {
      type: 'tool',
      id: 'tool-c',
      call: 'c',
      name: 'read',
      state: 'done',
      input: { file: 'big' },
      omitted: ['output'],
    },
  ])
})

test('a long text is cut into events that fit, never within a character', async () => {
  const text = `x${'🧵'.repeat(20_000)}`
  const { message, drafts } = await fold(each([text]))
  expect(message?.parts).toEqual([{ type: 'text', id: 'p1', text }])
  expect(Math.max(...drafts.map((draft) => JSON.stringify(draft).length))).toBeLessThan(60_000)
  expect(drafts.every((draft) => JSON.stringify(draft.data).isWellFormed())).toBe(true)
})

function webStream<T>(values: readonly T[]): ReadableStream<T> {
  return new ReadableStream({
    start: (controller) => {
      for (const value of values) controller.enqueue(value)
      controller.close()
    },
  })
}

/** As in a runtime whose web streams cannot be iterated. */
function notIterable(source: readonly string[] | ReadableStream<string>): ReadableStream<string> {
  const stream = source instanceof ReadableStream ? source : webStream(source)
  return { getReader: () => stream.getReader() } as unknown as ReadableStream<string>
}
