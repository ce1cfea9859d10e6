/** A call of a tool as the AI SDK streams it, its input in two pieces, with its result. */
export const searchChunks = [
  { type: 'tool-input-start', toolCallId: 'call_1', toolName: 'search' },
  { type: 'tool-input-delta', toolCallId: 'call_1', inputTextDelta: '{"query":' },
  { type: 'tool-input-delta', toolCallId: 'call_1', inputTextDelta: '"tea"}' },
  {
    type: 'tool-input-available',
    toolCallId: 'call_1',
    toolName: 'search',
    input: { query: 'tea' },
  },
  { type: 'tool-output-available', toolCallId: 'call_1', output: { hits: 2 } },
] as const
