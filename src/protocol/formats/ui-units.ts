import type { Message } from '../fold/message.ts'
import type { Part } from '../messages.ts'
import { textOf } from './piece.ts'
import { said, type UiMessageChunk, type UiPart } from './ui-message.ts'
import { advanceTool, beginTool, isSame, toolPart, type ToolUnit } from './ui-tool.ts'

/** A part of an assistant's message as the AI SDK knows them, with all that is told of it. */
export type UiUnit = StepUnit | TextUnit | ToolUnit | DataUnit | WholeUnit

interface StepUnit {
  readonly kind: 'step'
}

interface TextUnit {
  readonly kind: 'text'
  readonly type: 'text' | 'reasoning'
  /** What its chunks call it. */
  readonly id: string
  readonly text: string
  readonly done: boolean
  readonly providerMetadata: unknown
  readonly citations: unknown
}

/** Comes whole, and may be replaced where it has an id. */
interface DataUnit {
  readonly kind: 'data'
  readonly chunk: UiMessageChunk
}

/** Comes whole, and never changes; the part is the chunk. */
interface WholeUnit {
  readonly kind: 'whole'
  readonly chunk: UiMessageChunk
}

/** What there is of a message, in order. */
export function unitsOf({ parts, status }: Message): UiUnit[] {
  const infos = new Map(parts.filter(isInfo).map((part) => [textOf(part, 'part'), part]))
  // Of a call that was begun elsewhere there is nothing to show here.
  const content = parts.filter(
    (part) => !isInfo(part) && part['removed'] !== true && part['continues'] !== true,
  )
  return content.map((part, index) => {
    const info = infos.get(part.id ?? '')
    const follows = index === content.length - 1 ? status === 'completed' : info?.['open'] !== true
    const done = info?.['done'] === true || status === 'completed' || follows
    return unitOf(part, part.id ?? `#${index}`, info, done)
  })
}

/** The reason that the stream gave for its end; `stop` where it gave none. */
export function finishReasonOf({ parts }: Message): string {
  const told = parts.findLast((part) => isInfo(part) && part['finishReason'] !== undefined)
  return (told && textOf(told, 'finishReason')) ?? 'stop'
}

function isInfo({ type }: Part): boolean {
  return type === 'part-info'
}

function unitOf(part: Part, id: string, info: Part | undefined, done: boolean): UiUnit {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return {
        kind: 'text',
        type: part.type,
        id: textOf(part, 'streamId') ?? id,
        text: part.text ?? '',
        done,
        providerMetadata: info?.['providerMetadata'] ?? part['providerMetadata'],
        citations: info?.['citations'],
      }
    case 'step-start':
      return { kind: 'step' }
    case 'tool':
      return { kind: 'tool', part }
  }
  return part.type.startsWith('data-')
    ? { kind: 'data', chunk: dataChunk(part) }
    : { kind: 'whole', chunk: wholeChunk(part) }
}

function dataChunk({ type, id, ...part }: Part): UiMessageChunk {
  const given = textOf(part, 'dataId')
  const named = id?.startsWith(`${type}-`) === true ? id.slice(type.length + 1) : undefined
  return said({ type, id: given ?? named, data: part['data'] ?? null })
}

/** What the AI SDK has no word for is data to it. */
function wholeChunk({ type, id, ...fields }: Part): UiMessageChunk {
  switch (type) {
    case 'file': {
      const { reasoning, ...file } = fields
      const named = reasoning === true ? 'reasoning-file' : type
      const url = textOf(file, 'url') ?? ''
      return { ...file, type: named, url, mediaType: textOf(file, 'mediaType') ?? '' }
    }
    case 'source': {
      const named = id?.startsWith('source-') === true ? id.slice('source-'.length) : id
      const sourceId = textOf(fields, 'sourceId') ?? named ?? ''
      const isUrl = typeof fields['url'] === 'string'
      const document = {
        mediaType: textOf(fields, 'mediaType') ?? '',
        title: textOf(fields, 'title') ?? '',
      }
      return isUrl
        ? { ...fields, type: 'source-url', sourceId }
        : { ...fields, ...document, type: 'source-document', sourceId }
    }
    case 'custom':
      return { ...fields, type }
    case 'steering-message': {
      const { steering, ...rest } = fields
      return { ...rest, type, id: typeof steering === 'string' ? steering : (id ?? '') }
    }
  }
  return said({ type: `data-${type}`, id, data: fields })
}

/** As the AI SDK keeps it. */
export function uiPart(unit: UiUnit): UiPart {
  if (unit.kind === 'step') return { type: 'step-start' }
  if (unit.kind === 'tool') return toolPart(unit)
  return unit.kind === 'text' ? textPart(unit) : unit.chunk
}

function textPart({ type, id, text, done, providerMetadata, citations }: TextUnit): UiPart {
  const state = done ? 'done' : 'streaming'
  const named = type === 'reasoning' ? { id } : {}
  return said({ type, ...named, text, state, providerMetadata, citations })
}

/** What tells it to a reader of chunks that does not know it yet. */
export function beginUnit(unit: UiUnit): UiMessageChunk[] {
  if (unit.kind === 'step') return [{ type: 'start-step' }]
  if (unit.kind === 'tool') return beginTool(unit)
  if (unit.kind !== 'text') return [unit.chunk]
  const { type, id, providerMetadata } = unit
  const started = said({ type: `${type}-start`, id, providerMetadata })
  return [started, ...textDelta(unit, unit.text), ...(unit.done ? [textEnd(unit)] : [])]
}

/**
 * What brings it from where it was told to be to where it is now.
 * @param inStep whether it belongs to the step that was told last
 * @returns `null`: nothing does; `wait`: it is being written anew, and may come to the same
 */
export function advanceUnit(
  told: UiUnit,
  now: UiUnit,
  inStep: boolean,
): UiMessageChunk[] | 'wait' | null {
  if (told.kind === 'text' && now.kind === 'text') return advanceText(told, now)
  if (told.kind === 'tool' && now.kind === 'tool') return advanceTool(told, now, inStep)
  if (isSame(told, now)) return []
  if (told.kind !== 'data' || now.kind !== 'data') return null
  const isReplaced = told.chunk.type === now.chunk.type && told.chunk['id'] === now.chunk['id']
  return isReplaced && now.chunk['id'] !== undefined ? [now.chunk] : null
}

function advanceText(told: TextUnit, now: TextUnit): UiMessageChunk[] | 'wait' | null {
  if (told.type !== now.type || told.id !== now.id) return null
  if (!now.text.startsWith(told.text)) return told.text.startsWith(now.text) ? 'wait' : null
  const chunks = textDelta(now, now.text.slice(told.text.length))
  const isMore = !isSame(told.providerMetadata, now.providerMetadata)
  if (told.done) {
    const isOther = chunks.length > 0 || isMore || !isSame(told.citations, now.citations)
    return isOther ? null : []
  }
  if (now.done) return [...chunks, textEnd(now)]
  const { id, type, providerMetadata } = now
  const added = said({ type: `${type}-delta`, id, delta: '', providerMetadata })
  return isMore ? [...chunks, added] : chunks
}

function textDelta({ type, id }: TextUnit, delta: string): UiMessageChunk[] {
  return delta === '' ? [] : [{ type: `${type}-delta`, id, delta }]
}

function textEnd({ type, id, providerMetadata, citations }: TextUnit): UiMessageChunk {
  return said({ type: `${type}-end`, id, providerMetadata, citations })
}

/** Of what people say, which comes whole: the AI SDK's parts are ours, but for the names of a few. */
export function partsToSay(parts: readonly UiPart[]): Part[] {
  return parts.map((part) => {
    const { type, id, ...fields } = part
    // Ids of others may have another form, and nothing is ever replaced here.
    const named = typeof id === 'string' ? { dataId: id } : {}
    return { ...fields, ...named, type: type.slice(0, 64) }
  })
}

/** The parts of what people say, as they were. */
export function saidParts(message: Message): readonly UiPart[] {
  return message.parts.map((part) => {
    const { id: _id, dataId, ...fields } = part
    const named = typeof dataId === 'string' ? { id: dataId } : {}
    if (KNOWN.test(part.type)) return { ...fields, ...named }
    return uiPart(unitOf(part, part.id ?? '', undefined, true))
  })
}

const KNOWN = /^(text|reasoning|file|source-url|source-document|data-.*|dynamic-tool|tool-.*)$/
