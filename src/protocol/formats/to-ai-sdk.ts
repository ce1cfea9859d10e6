import type { Message } from '../fold/message.ts'
import type { UiMessage, UiMessageChunk, UiPart } from './ui-message.ts'
import { isSame } from './ui-tool.ts'
import {
  advanceUnit,
  beginUnit,
  finishReasonOf,
  saidParts,
  uiPart,
  unitsOf,
  type UiUnit,
} from './ui-units.ts'

export type { UiMessage, UiMessageChunk } from './ui-message.ts'

/** The message as `useChat` keeps it: the same that the AI SDK makes of the chunks that it came from. */
export function toUiMessage(message: Message): UiMessage {
  const { id, metadata } = message
  const role = message.role === 'tool' ? 'assistant' : message.role
  const parts = role === 'assistant' ? answerParts(message) : saidParts(message)
  return { id, role, parts, ...(Object.keys(metadata).length > 0 && { metadata }) }
}

/** A step shows with the first part that follows. */
function answerParts(message: Message): readonly UiPart[] {
  const units = unitsOf(message)
  return units.slice(0, units.findLastIndex((unit) => !isStep(unit)) + 1).map(uiPart)
}

export interface TellerOptions {
  /** Whether the reader knows `reset-step`. AI SDK 7 does; 6 does not. Default `true`. */
  readonly resetStep?: boolean
  /** The reader has the message so far, and what was open in it is over there: only what follows is told, after a `start`. */
  readonly from?: Message | null
}

/**
 * Tells a message as chunks of the AI SDK. Given the message as the fold has it now, what follows from what was told before: so snapshots, resets, catching
 * up and replays are all the same here.
 *
 * Where it comes to differ from what was told, which happens when a process that takes a run over writes its message anew, or a step is tried again, nothing
 * is told until that is certain. Then `reset-step` takes back the step that was told last, as far as the difference lies within it. For any other there is no
 * chunk: `tell` answers `null`, and the caller begins anew, with another teller, in a stream that the AI SDK resets at its `start`
 * (`resumeStreamIsReplay`).
 */
export class UiMessageTeller {
  readonly #resetStep: boolean
  readonly #told: UiUnit[]
  #begun = false
  #metadata: unknown = {}
  #over = false

  constructor({ resetStep = true, from = null }: TellerOptions = {}) {
    this.#resetStep = resetStep
    this.#told = from === null ? [] : unitsOf({ ...from, status: 'completed' })
  }

  /** The end was told. */
  get over(): boolean {
    return this.#over
  }

  /**
   * @param errorText why the message is `failed`
   * @returns what follows; nothing once the end was told; `null`: it cannot be told in this stream
   */
  tell(message: Message, errorText = 'The answer has failed.'): UiMessageChunk[] | null {
    if (this.#over) return []
    const chunks = this.#begun ? [] : [this.#start(message)]
    const told = this.#told
    this.#begun = true
    const isOver = message.status !== 'open'
    if (message.status !== 'deleted') {
      const more = this.#parts(told, unitsOf(message), isOver)
      if (more === null) return null
      chunks.push(...more)
    }
    const metadata = this.#newMetadata(message)
    if (!isOver) {
      if (metadata !== undefined) chunks.push({ type: 'message-metadata', ...metadata })
      return chunks
    }
    this.#over = true
    if (told.some(isStep)) chunks.push({ type: 'finish-step' })
    return [...chunks, ...endOf(message, errorText, metadata)]
  }

  #parts(told: UiUnit[], now: readonly UiUnit[], isOver: boolean): UiMessageChunk[] | null {
    const chunks: UiMessageChunk[] = []
    const end = (): number => Math.max(now.length, isOver ? told.length : 0)
    for (let index = 0; index < end(); index++) {
      const before = told[index]
      const unit = now[index]
      const last = told.findLastIndex(isStep)
      const more =
        before === undefined || unit === undefined ? null : advanceUnit(before, unit, index > last)
      if (more === 'wait' && !isOver) return chunks
      if (before === undefined && unit !== undefined) {
        if (unit.kind === 'step' && last >= 0 && !told.some(isOpen))
          chunks.push({ type: 'finish-step' })
        chunks.push(...beginUnit(unit))
        told.push(unit)
      } else if (more !== null && more !== 'wait' && unit !== undefined) {
        chunks.push(...more)
        // A text that was over stays so.
        if (more.length > 0 || unit.kind !== 'text') told[index] = unit
      } else {
        if (!this.#resetStep || index <= last) return null
        chunks.push({ type: 'reset-step' })
        told.length = last + 1
        index = last
      }
    }
    return chunks
  }

  #start({ id, metadata }: Message): UiMessageChunk {
    this.#metadata = metadata
    const described = Object.keys(metadata).length > 0 ? { messageMetadata: metadata } : {}
    return { type: 'start', messageId: id, ...described }
  }

  #newMetadata({ metadata }: Message): { readonly messageMetadata: unknown } | undefined {
    if (isSame(this.#metadata, metadata)) return undefined
    this.#metadata = metadata
    return { messageMetadata: metadata }
  }
}

function isStep({ kind }: UiUnit): boolean {
  return kind === 'step'
}

/** AI SDK 6 forgets at the end of a step which texts are open. */
function isOpen(unit: UiUnit): boolean {
  return unit.kind === 'text' && !unit.done
}

function endOf(
  message: Message,
  errorText: string,
  metadata: { readonly messageMetadata: unknown } | undefined,
): UiMessageChunk[] {
  const { status } = message
  if (status === 'failed') {
    const described = metadata === undefined ? [] : [{ type: 'message-metadata', ...metadata }]
    return [...described, { type: 'error', errorText }]
  }
  const interrupted = status === 'interrupted'
  const finishReason = interrupted ? status : finishReasonOf(message)
  const finish = { type: 'finish', finishReason, ...metadata }
  return interrupted ? [finish, { type: 'abort' }] : [finish]
}
