import { searchChunks } from '../support/ui-message-chunks.ts'

/** Answers as they are streamed, in every format that is taken. */

export const SSE = 'text/event-stream'
export const NDJSON = 'application/x-ndjson'
export const TEXT = 'text/plain; charset=utf-8'

export const uiChunks = [
  { type: 'start', messageId: 'theirs', messageMetadata: { model: 'small' } },
  { type: 'start-step' },
  { type: 'reasoning-start', id: '0' },
  { type: 'reasoning-delta', id: '0', delta: 'Let me look — ' },
  { type: 'reasoning-delta', id: '0', delta: '👀.' },
  { type: 'reasoning-end', id: '0' },
  ...searchChunks,
  { type: 'data-chart', id: 'c', data: { bars: [1, 2] } },
  { type: 'data-busy', transient: true, data: 1 },
  { type: 'of-a-later-version', anything: true },
  { type: 'finish-step' },
  { type: 'start-step' },
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: 'There are' },
  { type: 'text-delta', id: '0', delta: ' två.' },
  { type: 'text-end', id: '0' },
  { type: 'finish', finishReason: 'stop' },
]

export const agUi = [
  { type: 'RUN_STARTED', threadId: 't', runId: 'r' },
  { type: 'TEXT_MESSAGE_START', messageId: 'q', role: 'user' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'q', delta: 'How much tea is there?' },
  { type: 'TOOL_CALL_START', toolCallId: 'call_1', toolCallName: 'search', parentMessageId: 'a' },
  { type: 'TOOL_CALL_ARGS', toolCallId: 'call_1', delta: '{"query":"tea"}' },
  { type: 'TOOL_CALL_END', toolCallId: 'call_1' },
  { type: 'TOOL_CALL_RESULT', messageId: 'x', toolCallId: 'call_1', content: '{"hits":2}' },
  { type: 'STATE_SNAPSHOT', snapshot: { any: 'thing' } },
  { type: 'CUSTOM', name: 'chart', value: { bars: [1] } },
  { type: 'TEXT_MESSAGE_START', messageId: 'a', role: 'assistant' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta: 'There are ' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'a', delta: 'två 👀.' },
  { type: 'TEXT_MESSAGE_END', messageId: 'a' },
  { type: 'RUN_FINISHED', threadId: 't', runId: 'r', outcome: { type: 'success' } },
]

export const text = 'Det finns två sorter — 茶とコーヒー 👀\n\nand  nothing\telse; '.repeat(3)

export const asLines = (chunks: readonly unknown[]): string =>
  chunks.map((chunk) => `${JSON.stringify(chunk)}\n`).join('')
export const asSse = (chunks: readonly unknown[]): string =>
  chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')

export const FORMS = [
  ['AI SDK chunks as lines', NDJSON, '?format=ui-message-chunks', uiChunks, asLines(uiChunks)],
  [
    'AI SDK chunks as server-sent events',
    SSE,
    '?format=ui-message-chunks',
    uiChunks,
    `${asSse(uiChunks)}data: [DONE]\n\n`,
  ],
  ['AG-UI events as lines', NDJSON, '?format=ag-ui', agUi, asLines(agUi)],
  ['AG-UI events as server-sent events', SSE, '?format=ag-ui', agUi, asSse(agUi)],
  ['plain text', TEXT, '', [text], text],
] as const
