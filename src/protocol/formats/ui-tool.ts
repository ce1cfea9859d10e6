import type { Part } from '../messages.ts'
import { isChunk, jsonOr, textOf, type Chunk } from './piece.ts'
import type { UiMessageChunk, UiPart } from './ui-message.ts'
import type { Advance, UiUnit, UnitWords } from './ui-units.ts'

/** How far a call is: the AI SDK's states, in the order in which a call comes to them. */
const RANKS = [
  'input-streaming',
  'input-available',
  'approval-requested',
  'approval-responded',
  'over',
] as const
type Rank = (typeof RANKS)[number]

/** How a call of a tool is told. */
export const toolWords: UnitWords = { shown: toolPart, begin: beginTool, advance: advanceTool }

function rankOf({ state, approval, heard }: Part): Rank {
  const answered = isChunk(approval) && typeof approval['approved'] === 'boolean'
  if (state === 'input') return 'input-streaming'
  if (state === 'called') return answered ? 'approval-responded' : 'input-available'
  if (state === 'approval') return 'approval-requested'
  if (state === 'denied' && answered && heard !== true) return 'approval-responded'
  return 'over'
}

/** As the AI SDK keeps it. */
function toolPart({ part }: UiUnit): UiPart {
  const rank = rankOf(part)
  const name = nameOf(part)
  const dynamic = part['dynamic'] === true
  const failed = part['state'] === 'failed'
  const text = part.text
  return {
    type: dynamic ? 'dynamic-tool' : `tool-${name}`,
    ...(dynamic && { toolName: name }),
    toolCallId: callOf(part),
    state: rank === 'over' ? overState(part) : rank,
    title: part['title'],
    toolMetadata: part['toolMetadata'],
    providerExecuted: part['providerExecuted'],
    ...(rank === 'input-streaming' && {
      rawInput: text,
      inputEncoding: part['inputEncoding'],
      input: text === undefined || part['inputEncoding'] === 'text' ? text : wholeJson(text),
    }),
    ...(rank !== 'input-streaming' && { input: part['input'] }),
    ...(failed && { errorText: errorOf(part) }),
    ...(rank === 'over' && !failed && { output: part['output'] }),
    ...(part['state'] === 'running' && { preliminary: true }),
    callProviderMetadata: part['callMetadata'],
    resultProviderMetadata: part['resultMetadata'],
    approval: part['approval'],
  }
}

/** Input that is still being written, where what is there happens to be JSON. */
function wholeJson(text: string): unknown {
  const value = jsonOr(text)
  return value === text ? undefined : value
}

function overState({ state }: Part): string {
  if (state === 'failed') return 'output-error'
  return state === 'denied' ? 'output-denied' : 'output-available'
}

/** What brings a reader of chunks that knows nothing of the call to where it is now. */
function beginTool({ part }: UiUnit): UiMessageChunk[] {
  if (rankOf(part) === 'input-streaming') {
    return [startOf(part), ...inputDelta(part, part.text ?? '')]
  }
  return isInvalid(part) ? [startOf(part), ...inputEnd(part)] : inputEnd(part)
}

/** Its input could not be read. A provider may go on with the call all the same. */
function isInvalid({ state, invalid }: Part): boolean {
  return state === 'failed' && invalid === true
}

function startOf(part: Part): UiMessageChunk {
  const { inputEncoding } = part
  return { type: 'tool-input-start', ...callFields(part), inputEncoding }
}

/** All of the input is there, and what came of it. */
function inputEnd(part: Part): UiMessageChunk[] {
  const input = part['input'] ?? null
  if (!isInvalid(part)) {
    const there = { type: 'tool-input-available', ...callFields(part), input }
    return [there, ...stepsAfter(part, 'input-available', null)]
  }
  const { title: _title, ...call } = callFields(part)
  const providerMetadata = part['resultMetadata']
  const failed = { type: 'tool-input-error', ...call, providerMetadata }
  return [{ ...failed, input, errorText: errorOf(part) }]
}

function advanceTool({ part: told }: UiUnit, { part }: UiUnit, inStep: boolean): Advance {
  const from = rankOf(told)
  const to = rankOf(part)
  if (callOf(told) !== callOf(part)) return null
  if (RANKS.indexOf(to) < RANKS.indexOf(from)) return 'wait'
  if (from === 'input-streaming') {
    if (to !== from) return inStep ? inputEnd(part) : null
    const before = told.text ?? ''
    const text = part.text ?? ''
    if (nameOf(told) !== nameOf(part)) return null
    if (text.startsWith(before)) return inputDelta(part, text.slice(before.length))
    return before.startsWith(text) ? 'wait' : null
  }
  const same = nameOf(told) === nameOf(part) && !differs('input', told, part)
  return same ? stepsAfter(part, from, told) : null
}

function stepsAfter(part: Part, from: Rank, told: Part | null): UiMessageChunk[] {
  const rank = RANKS.indexOf(from)
  const to = RANKS.indexOf(rankOf(part))
  const chunks: UiMessageChunk[] = []
  const { approval } = part
  if (isChunk(approval)) {
    if (rank < 2 && to >= 2) chunks.push(askFor(part, approval))
    const answered = typeof approval['approved'] === 'boolean'
    if (answered && rank < 3 && to >= 3) chunks.push(answerOf(part, approval, told))
  }
  const changed =
    told === null || from !== 'over' || OUTCOME.some((one) => differs(one, told, part))
  if (to === 4 && changed) chunks.push(outcomeOf(part))
  return chunks
}

const OUTCOME = ['state', 'output', 'error', 'resultMetadata'] as const

function inputDelta(part: Part, inputTextDelta: string): UiMessageChunk[] {
  if (inputTextDelta === '') return []
  return [{ type: 'tool-input-delta', toolCallId: callOf(part), inputTextDelta }]
}

function askFor(part: Part, approval: Chunk): UiMessageChunk {
  return {
    type: 'tool-approval-request',
    approvalId: textOf(approval, 'id') ?? '',
    toolCallId: callOf(part),
    approvalDescriptor: approval['descriptor'],
    inputSchemaInput: approval['inputSchemaInput'],
    reason: approval['requestReason'],
    isAutomatic: approval['isAutomatic'],
    signature: approval['signature'],
  }
}

function answerOf(part: Part, approval: Chunk, told: Part | null): UiMessageChunk {
  const metadata = part['callMetadata']
  const isNew = told !== null && differs('callMetadata', told, part)
  return {
    type: 'tool-approval-response',
    approvalId: textOf(approval, 'id') ?? '',
    approved: approval['approved'],
    reason: approval['reason'],
    providerExecuted: part['providerExecuted'],
    providerMetadata: isNew ? metadata : undefined,
  }
}

function outcomeOf(part: Part): UiMessageChunk {
  const toolCallId = callOf(part)
  const { state } = part
  if (state === 'denied') return { type: 'tool-output-denied', toolCallId }
  const fields = {
    providerExecuted: part['providerExecuted'],
    providerMetadata: part['resultMetadata'],
    toolMetadata: part['toolMetadata'],
    dynamic: part['dynamic'],
  }
  if (state === 'failed') {
    return { type: 'tool-output-error', toolCallId, errorText: errorOf(part), ...fields }
  }
  const preliminary = state === 'running' ? { preliminary: true } : {}
  const output = part['output'] ?? null
  return { type: 'tool-output-available', toolCallId, output, ...fields, ...preliminary }
}

function callFields(part: Part): Chunk {
  return {
    toolCallId: callOf(part),
    toolName: nameOf(part),
    title: part['title'],
    dynamic: part['dynamic'],
    providerExecuted: part['providerExecuted'],
    toolMetadata: part['toolMetadata'],
    providerMetadata: part['callMetadata'],
  }
}

function callOf(part: Part): string {
  return textOf(part, 'call') ?? part.id ?? ''
}

function nameOf(part: Part): string {
  return textOf(part, 'name') ?? 'tool'
}

function errorOf(part: Part): string {
  return textOf(part, 'error') ?? 'failed'
}

/** In a field that came as JSON. */
function differs(field: string, told: Part, part: Part): boolean {
  return JSON.stringify(told[field]) !== JSON.stringify(part[field])
}
