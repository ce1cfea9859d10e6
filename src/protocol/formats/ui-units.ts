import type { Message } from '../fold/message.ts'
import type { Part } from '../messages.ts'
import type { Chunk } from './piece.ts'
import type { UiMessage, UiMessageChunk, UiPart } from './ui-message.ts'

/** A part of an assistant's message as the AI SDK knows them, with all that is told of it. */
export interface UiUnit {
  readonly type: string
  readonly part: Part
  readonly words: UnitWords
  /** What the chunks of a text call it. */
  readonly id: string
  readonly text: string
  readonly done: boolean
  readonly providerMetadata: unknown
  readonly citations: unknown
}

/** What brings a reader further: `null`: nothing does; `wait`: it is being written anew, and may come to the same. */
export type Advance = UiMessageChunk[] | 'wait' | null

/** How a part is told. */
export interface UnitWords {
  /** As the AI SDK keeps it. */
  readonly shown: (unit: UiUnit) => UiPart
  /** What tells it to a reader of chunks that does not know it yet. */
  readonly begin: (unit: UiUnit) => UiMessageChunk[]
  /**
   * What brings it from where it was told to be, by the same words, to where it is now.
   * @param inStep whether it belongs to the step that was told last
   */
  readonly advance: (told: UiUnit, now: UiUnit, inStep: boolean) => Advance
}

/** The words for parts that are neither text nor a step; `undefined`: they are left out. */
export type MoreWords = (part: Part) => UnitWords | undefined

/** What there is of a message, in order. */
export function unitsOf({ parts, status }: Message, more: MoreWords): UiUnit[] {
  const infos = new Map(parts.filter(isInfo).map((part) => [part['part'], part]))
  // Of a call that was begun elsewhere there is nothing to show here.
  const content = parts.filter(
    (part) => !isInfo(part) && part['removed'] !== true && part['continues'] !== true,
  )
  return content.flatMap((part, index) => {
    const info = infos.get(part.id ?? '')
    const follows = index < content.length - 1 && info?.['open'] !== true
    const done = status === 'completed' || follows || info?.['done'] === true
    return unitOf(part, part.id ?? `#${index}`, done, more, info)
  })
}

export function unitOf(
  part: Part,
  id: string,
  done: boolean,
  more: MoreWords,
  info?: Part,
): UiUnit[] {
  const { type, text = '', streamId } = part
  const words = PLAIN.get(type) ?? more(part)
  if (words === undefined) return []
  const providerMetadata = info?.['providerMetadata'] ?? part['providerMetadata']
  const named = typeof streamId === 'string' ? streamId : id
  const citations = info?.['citations']
  return [{ type, part, words, id: named, text, done, providerMetadata, citations }]
}

/** The reason that the stream gave for its end; `stop` where it gave none. */
export function finishReasonOf({ parts }: Message): unknown {
  const told = parts.findLast((part) => isInfo(part) && typeof part['finishReason'] === 'string')
  return told?.['finishReason'] ?? 'stop'
}

function isInfo({ type }: Part): boolean {
  return type === 'part-info'
}

export function isStep({ type }: UiUnit): boolean {
  return type === 'step-start'
}

const stepWords: UnitWords = {
  shown: () => ({ type: 'step-start' }),
  begin: () => [{ type: 'start-step' }],
  advance: () => [],
}

export const textWords: UnitWords = {
  shown: ({ type, id, text, done, providerMetadata, citations }) => {
    const state = done ? 'done' : 'streaming'
    const named = type === 'reasoning' ? { id } : {}
    return { type, ...named, text, state, providerMetadata, citations }
  },
  begin: (unit) => {
    const { type, id, providerMetadata } = unit
    return [{ type: `${type}-start`, id, providerMetadata }, ...further(unit, unit.text)]
  },
  advance: (told, now) => {
    if (told.type !== now.type || told.id !== now.id) return null
    if (!now.text.startsWith(told.text)) return told.text.startsWith(now.text) ? 'wait' : null
    const added = now.text.slice(told.text.length)
    const isMore = !isSame(told.providerMetadata, now.providerMetadata)
    if (!told.done) return further(now, added, isMore)
    return added !== '' || isMore || !isSame(told.citations, now.citations) ? null : []
  },
}

function further(unit: UiUnit, delta: string, isMore = false): UiMessageChunk[] {
  const { type, id, done, providerMetadata, citations } = unit
  const chunks: UiMessageChunk[] = delta === '' ? [] : [{ type: `${type}-delta`, id, delta }]
  if (done) chunks.push({ type: `${type}-end`, id, providerMetadata, citations })
  else if (isMore) chunks.push({ type: `${type}-delta`, id, delta: '', providerMetadata })
  return chunks
}

const PLAIN: ReadonlyMap<string, UnitWords> = new Map([
  ['text', textWords],
  ['reasoning', textWords],
  ['step-start', stepWords],
])

/** Whether it can be told with the words that are here. */
export function isPlain({ role, parts }: Message): boolean {
  return parts.every((part) =>
    isAnswer(role) ? isInfo(part) || PLAIN.has(part.type) : AS_SAID.test(part.type),
  )
}

/** The message as `useChat` keeps it: the same that the AI SDK makes of the chunks that it came from. */
export function uiMessageOf(message: Message, more: MoreWords): UiMessage {
  const { id, role, metadata } = message
  const told = isAnswer(role)
    ? ({ id, role: 'assistant', parts: answerParts(message, more) } as const)
    : { id, role, parts: saidParts(message, more) }
  return { ...told, ...(Object.keys(metadata).length > 0 && { metadata }) }
}

function isAnswer(role: Message['role']): role is 'assistant' | 'tool' {
  return role === 'assistant' || role === 'tool'
}

/** A step shows with the first part that follows. */
function answerParts(message: Message, more: MoreWords): readonly UiPart[] {
  const units = unitsOf(message, more)
  return units.slice(0, units.findLastIndex((unit) => !isStep(unit)) + 1).map(shown)
}

function shown(unit: UiUnit): UiPart {
  return said(unit.words.shown(unit))
}

/** Whether two values that came as JSON are the same. */
export function isSame(first: unknown, second: unknown): boolean {
  return JSON.stringify(first) === JSON.stringify(second)
}

/** Without what is not said: as JSON has it. */
export function said<T extends Chunk>(fields: T): T {
  const there = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(there) as T
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
function saidParts({ parts }: Message, more: MoreWords): readonly UiPart[] {
  return parts.flatMap((part) => {
    const { id = '', dataId, ...fields } = part
    const named = typeof dataId === 'string' ? { id: dataId } : {}
    if (AS_SAID.test(part.type)) return { ...fields, ...named }
    return unitOf(part, id, true, more).map(shown)
  })
}

const AS_SAID = /^(text|reasoning|file|source-url|source-document|data-.*|dynamic-tool|tool-.*)$/
