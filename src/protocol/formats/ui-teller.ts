import type { Message } from '../fold/message.ts'
import type { UiMessageChunk } from './ui-message.ts'
import {
  finishReasonOf,
  isSame,
  isStep,
  said,
  textWords,
  unitsOf,
  type MoreWords,
  type UiUnit,
} from './ui-units.ts'

export interface TellerOptions {
  /** Whether the reader knows `reset-step`. AI SDK 7 does; 6 does not. */
  readonly resetStep: boolean
  /** The reader has the message so far, and what was open in it is over there: only what follows is told, after a `start`. */
  readonly from?: Message | undefined
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
export class Teller {
  readonly #more: MoreWords
  readonly #resetStep: boolean
  readonly #told: UiUnit[]
  /** What was told of it; `undefined`: nothing was told at all. */
  #metadata: Message['metadata'] | undefined
  #over = false

  constructor(more: MoreWords, { resetStep, from }: TellerOptions) {
    this.#more = more
    this.#resetStep = resetStep
    this.#told = from ? unitsOf({ ...from, status: 'completed' }, more) : []
  }

  /** The end was told. */
  get over(): boolean {
    return this.#over
  }

  /**
   * @param errorText why the message is `failed`
   * @returns what follows; nothing once the end was told; `null`: it cannot be told in this stream
   */
  tell(message: Message, errorText: string): UiMessageChunk[] | null {
    if (this.#over) return []
    const { id, metadata, status } = message
    const chunks: UiMessageChunk[] = []
    const begun = this.#metadata !== undefined
    const news = isSame(this.#metadata ?? {}, metadata) ? null : { messageMetadata: metadata }
    this.#metadata = metadata
    if (!begun) chunks.push({ type: 'start', messageId: id, ...news })
    const over = status !== 'open'
    const isTold = status === 'deleted' || this.#parts(chunks, unitsOf(message, this.#more), over)
    if (!isTold) return null
    this.#over = over
    if (over && this.#told.some(isStep)) chunks.push({ type: 'finish-step' })
    const later = begun ? news : null
    if (later && (!over || status === 'failed')) chunks.push({ type: 'message-metadata', ...later })
    if (over) chunks.push(...endOf(message, errorText, later))
    return chunks.map(said)
  }

  /** @returns whether they could be told */
  #parts(chunks: UiMessageChunk[], now: readonly UiUnit[], over: boolean): boolean {
    const told = this.#told
    const end = (): number => (over ? Math.max(now.length, told.length) : now.length)
    for (let at = 0; at < end(); at++) {
      const before = told[at]
      const unit = now[at]
      const last = told.findLastIndex(isStep)
      if (before === undefined && unit !== undefined) {
        if (isStep(unit) && last >= 0 && !told.some(isOpen)) chunks.push({ type: 'finish-step' })
        chunks.push(...unit.words.begin(unit))
        told.push(unit)
        continue
      }
      const more =
        before !== undefined && before.words === unit?.words
          ? unit.words.advance(before, unit, at > last)
          : null
      if (more === 'wait' && !over) return true
      if (unit !== undefined && Array.isArray(more)) {
        chunks.push(...more)
        // A text that was over stays so.
        if (more.length > 0 || unit.words !== textWords) told[at] = unit
      } else {
        if (!this.#resetStep || at <= last) return false
        chunks.push({ type: 'reset-step' })
        told.length = last + 1
        at = last
      }
    }
    return true
  }
}

/** AI SDK 6 forgets at the end of a step which texts are open. */
function isOpen({ words, done }: UiUnit): boolean {
  return words === textWords && !done
}

function endOf(
  message: Message,
  errorText: string,
  news: { readonly messageMetadata: unknown } | null,
): UiMessageChunk[] {
  const { status } = message
  if (status === 'failed') return [{ type: 'error', errorText }]
  if (status !== 'interrupted')
    return [{ type: 'finish', finishReason: finishReasonOf(message), ...news }]
  return [{ type: 'finish', finishReason: status, ...news }, { type: 'abort' }]
}
