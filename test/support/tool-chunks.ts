// What a model streams that books a seat with a tool, as chunks of the AI SDK.
const START = [{ type: 'start' }, { type: 'start-step' }]
const END = [{ type: 'finish-step' }, { type: 'finish', finishReason: 'stop' }]
const CALL = {
  type: 'tool-input-available',
  toolCallId: 'c1',
  toolName: 'book',
  input: { to: 'Oslo' },
}
const OUTPUT = { type: 'tool-output-available', toolCallId: 'c1', output: { seat: 7 } }
const SAID = [
  { type: 'text-start', id: '0' },
  { type: 'text-delta', id: '0', delta: 'Seat 7.' },
  { type: 'text-end', id: '0' },
]
const APPROVAL = { type: 'tool-approval-request', approvalId: 'a1', toolCallId: 'c1' }

/** An answer up to its call of a tool. */
export const CALLS = [...START, CALL, ...END]
/** The same where the call waits for a person. */
export const ASKS = [...START, CALL, APPROVAL, ...END]
/** With the call's output, in the same answer. */
export const GOES_ON = [{ type: 'start' }, OUTPUT, { type: 'start-step' }, ...SAID, ...END]
/** The call and what was said, as a page shows them in the end, but for what a version adds. */
export const SHOWN = [
  { type: 'step-start' },
  {
    type: 'tool-book',
    toolCallId: 'c1',
    state: 'output-available',
    input: { to: 'Oslo' },
    output: { seat: 7 },
  },
  { type: 'step-start' },
  { type: 'text', text: 'Seat 7.', state: 'done' },
]
