/** An event before it is appended. */
export interface Draft {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What one message is written through: it ends with the first batch that is refused. */
export interface Lane {
  /** Resolves at once, or, where much waits already, when there is room. @throws what an earlier write was refused with */
  write(draft: Draft): Promise<void>
}

/** Text for a part of a message. */
export interface TextDraft extends Draft {
  readonly type: 'message.delta'
  readonly data: {
    readonly message: string
    readonly part: string
    readonly type: string
    readonly text: string
  }
}

/** One event is at most 64 KiB; a character is at most 6 bytes of JSON. */
const MAX_TEXT = 8 * 1024

/** The events of a text: usually one. A text that is longer than an event may be is cut, never inside a surrogate pair. */
export function textDrafts(message: string, part: string, type: string, text: string): TextDraft[] {
  const drafts: TextDraft[] = []
  for (let from = 0; from < text.length;) {
    const to = endOfCut(text, from)
    const data = { message, part, type, text: text.slice(from, to) }
    drafts.push({ type: 'message.delta', data })
    from = to
  }
  return drafts
}

function endOfCut(text: string, from: number): number {
  const to = from + MAX_TEXT
  if (to >= text.length) return text.length
  return isHighSurrogate(text.charCodeAt(to - 1)) ? to - 1 : to
}

export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

/** Both as one event, where they are text for the same part and fit in one. */
export function joinDrafts(first: Draft, second: Draft): Draft | null {
  if (!isText(first) || !isText(second)) return null
  const { message, part, type, text } = first.data
  const more = second.data
  if (more.message !== message || more.part !== part || more.type !== type) return null
  if (text.length + more.text.length > MAX_TEXT) return null
  return { type: first.type, data: { message, part, type, text: text + more.text } }
}

function isText(draft: Draft): draft is TextDraft {
  return draft.type === 'message.delta' && typeof draft.data['text'] === 'string'
}

/** What a draft weighs, near enough to bound a buffer by. */
export function weigh(draft: Draft): number {
  return isText(draft) ? draft.data.text.length + 64 : JSON.stringify(draft.data).length + 32
}
