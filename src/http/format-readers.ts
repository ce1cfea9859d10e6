import { draft, type Draft } from '../core/new-event.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { joinDrafts, weigh, type Draft as PlainDraft } from '../protocol/formats/draft.ts'
import { AgUiReader } from '../protocol/formats/from-ag-ui.ts'
import { AiSdkReader } from '../protocol/formats/from-ai-sdk.ts'
import { TextReader } from '../protocol/formats/from-text.ts'
import { jsonText } from '../protocol/formats/json-text.ts'
import { isChunk, textOf, type Chunk, type Reader } from '../protocol/formats/piece.ts'
import type { Format } from '../protocol/http-formats.ts'
import type { BodyReader } from './append-stream.ts'
import { parseJson } from './body.ts'
import type { ChunkLines } from './chunk-lines.ts'
import { StreamedMessage } from './streamed-message.ts'
import { TextCutter } from './text-cutter.ts'

export interface FormatOptions {
  readonly maxEventBytes: number
  /** A retry has to make the very same events of the same body, however it arrives. */
  readonly exact: boolean
  /** The message's id, where the caller names it. */
  readonly message: string | undefined
  /** What the message follows, where the caller names it; `null`: nothing. */
  readonly parent: string | null | undefined
  /** The id of a message that nobody names. */
  readonly madeId: () => string
}

/** The chunks of a framework, as it streams them: one message. [P-10.13] */
export class ChunkBody implements BodyReader {
  readonly #lines: ChunkLines
  readonly #format: Format
  readonly #options: FormatOptions
  readonly #message: StreamedMessage
  #named: string | null = null
  #count = 0

  constructor(lines: ChunkLines, format: Format, options: FormatOptions) {
    this.#lines = lines
    this.#format = format
    this.#options = options
    this.#message = new StreamedMessage(
      (nextPart): Reader =>
        format === 'ag-ui' ? new AgUiReader(nextPart) : new AiSdkReader(nextPart),
      () => options.message ?? this.#named ?? options.madeId(),
      options.parent,
    )
  }

  get lines(): number {
    return this.#count
  }

  push(bytes: Buffer): AsyncIterable<Draft> {
    return finish(this.#read(this.#lines.push(bytes)), this.#options)
  }

  end(): AsyncIterable<Draft> {
    return finish(this.#end(), this.#options)
  }

  async *#end(): AsyncGenerator<PlainDraft> {
    yield* this.#read(this.#lines.end())
    if (this.#count > 0) yield* await this.#message.end()
  }

  async *#read(lines: Iterable<Buffer>): AsyncGenerator<PlainDraft> {
    for (const line of lines) {
      if (!line.equals(DONE)) {
        const chunk = chunkOf(line, this.#format)
        this.#named ??= FORMS[this.#format].named(chunk)
        yield* await this.#message.read(chunk, line.length)
      }
      this.#count++
    }
  }
}

/** How the AI SDK says that a stream is over. */
const DONE = Buffer.from('[DONE]')

/** What the types of a format's chunks look like, and where they name the message. */
const FORMS: Readonly<
  Record<Format, { readonly type: RegExp; readonly named: (chunk: Chunk) => string | null }>
> = {
  'ui-message-chunks': {
    type: /^[a-z]+(-.*)?$/,
    named: (chunk) => (chunk['type'] === 'start' ? idFrom(textOf(chunk, 'messageId')) : null),
  },
  'ag-ui': { type: /^[A-Z][A-Z_]*$/, named: agUiMessage },
}

/** The first that is not a person's. A result of a tool has a message of its own. */
function agUiMessage(chunk: Chunk): string | null {
  const type = textOf(chunk, 'type') ?? ''
  if (type.startsWith('TOOL_CALL_')) return idFrom(textOf(chunk, 'parentMessageId'))
  const role = textOf(chunk, 'role') ?? 'assistant'
  const starts = type === 'TEXT_MESSAGE_START' || type === 'TEXT_MESSAGE_CHUNK'
  const says = starts ? role === 'assistant' : type.startsWith('REASONING_MESSAGE_')
  return says ? idFrom(textOf(chunk, 'messageId')) : null
}

/** Others have ids of their own form. [P-1.1] */
function idFrom(given: string | null): string | null {
  const id = given?.replaceAll(/[^A-Za-z0-9_.:~-]/g, '_').slice(0, 128) ?? ''
  return /^[A-Za-z0-9]/.test(id) ? id : null
}

/** What a chunk says that has the form of its format; which types there are is for the reader to know. */
function chunkOf(line: Buffer, format: Format): Chunk {
  const { value } = parseJson(line)
  const type = isChunk(value) ? textOf(value, 'type') : null
  if (isChunk(value) && type !== null && FORMS[format].type.test(type)) return value
  throw new HeldlineError('invalid_request', `unable to append on; this is no chunk of ${format}`)
}

/** Text as it comes: one message. [P-10.13] */
export class TextBody implements BodyReader {
  readonly #options: FormatOptions
  readonly #message: StreamedMessage
  readonly #cutter: TextCutter
  #count = 0

  constructor(options: FormatOptions) {
    this.#options = options
    this.#cutter = new TextCutter(options.exact)
    this.#message = new StreamedMessage(
      (nextPart) => new TextReader(nextPart),
      () => options.message ?? options.madeId(),
      options.parent,
    )
  }

  get lines(): number {
    return this.#count
  }

  push(bytes: Buffer): AsyncIterable<Draft> {
    return finish(this.#read(this.#cutter.push(bytes)), this.#options)
  }

  end(): AsyncIterable<Draft> {
    return finish(this.#end(), this.#options)
  }

  async *#end(): AsyncGenerator<PlainDraft> {
    yield* this.#read(this.#cutter.end())
    if (this.#count > 0) yield* await this.#message.end()
  }

  async *#read(texts: Iterable<string>): AsyncGenerator<PlainDraft> {
    for (const text of texts) {
      yield* await this.#message.read(text, text.length)
      this.#count++
    }
  }
}

/** As events to append; text that follows text is one event, unless a retry has to be able to tell them apart. */
async function* finish(
  drafts: AsyncIterable<PlainDraft>,
  { exact, maxEventBytes }: FormatOptions,
): AsyncGenerator<Draft> {
  let last: PlainDraft | null = null
  // A character is at most 6 bytes of JSON.
  const maxWeight = maxEventBytes / 6
  const event = ({ type, data }: PlainDraft): Draft => {
    return draft({ type, data }, [{ key: 'data', raw: jsonText(data) }], maxEventBytes)
  }
  try {
    for await (const next of drafts) {
      const joined: PlainDraft | null =
        last === null || exact || weigh(last) + weigh(next) > maxWeight
          ? null
          : joinDrafts(last, next)
      if (last !== null && joined === null) yield event(last)
      last = joined ?? next
    }
  } catch (error) {
    if (last !== null) yield event(last)
    throw error
  }
  if (last !== null) yield event(last)
}
