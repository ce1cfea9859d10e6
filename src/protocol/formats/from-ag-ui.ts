import {
  isChunk,
  jsonOr,
  textOf,
  type Chunk,
  type NextPart,
  type Piece,
  type Reader,
} from './piece.ts'
import { TextParts } from './text-parts.ts'
import { ToolParts } from './tool-parts.ts'

/**
 * The events of AG-UI: each of its text and reasoning messages is a part of ours. State and snapshots are not a message's; they are passed over.
 */
export class AgUiReader implements Reader {
  readonly #texts: TextParts
  readonly #tools = new ToolParts()
  readonly #nextPart: NextPart
  /** Messages that people wrote come back in some streams. */
  readonly #others = new Set<string>()
  /** What an event without an id belongs to. */
  #message = ''
  #call = ''

  constructor(nextPart: NextPart) {
    this.#nextPart = nextPart
    this.#texts = new TextParts(nextPart)
  }

  *read(chunk: unknown): Iterable<Piece> {
    if (!isChunk(chunk)) return
    const type = textOf(chunk, 'type') ?? ''
    if (type.startsWith('TEXT_MESSAGE_')) yield* this.#text('text', type, chunk)
    else if (type.startsWith('REASONING_MESSAGE_') || type.startsWith('THINKING_TEXT_MESSAGE_'))
      yield* this.#text('reasoning', type, chunk)
    else if (type.startsWith('TOOL_CALL_')) yield* this.#tool(type, chunk)
    else yield* this.#other(type, chunk)
  }

  *#text(kind: 'text' | 'reasoning', type: string, chunk: Chunk): Iterable<Piece> {
    const id = textOf(chunk, 'messageId') ?? this.#message
    this.#message = id
    if (type.endsWith('_START')) this.#texts.begin(kind, id)
    const role = textOf(chunk, 'role')
    if (kind === 'text' && role !== null && role !== 'assistant') this.#others.add(id)
    if (this.#others.has(id)) return
    yield* this.#texts.add(kind, id, textOf(chunk, 'delta') ?? '')
  }

  *#tool(type: string, chunk: Chunk): Iterable<Piece> {
    const call = textOf(chunk, 'toolCallId') ?? this.#call
    const name = textOf(chunk, 'toolCallName')
    const delta = textOf(chunk, 'delta') ?? ''
    const tools = this.#tools
    if (type !== 'TOOL_CALL_RESULT') this.#call = call
    switch (type) {
      case 'TOOL_CALL_START':
        return yield tools.put(call, 'input', name === null ? {} : { name })
      case 'TOOL_CALL_CHUNK':
        if (!tools.has(call)) yield tools.put(call, 'input', name === null ? {} : { name })
        return yield* tools.input(call, delta)
      case 'TOOL_CALL_ARGS':
        return yield* tools.input(call, delta)
      case 'TOOL_CALL_END':
        return yield* tools.inputEnd(call)
      case 'TOOL_CALL_RESULT': {
        yield* tools.inputEnd(call)
        const content = chunk['content']
        const output = typeof content === 'string' ? jsonOr(content) : content
        return yield tools.put(call, 'done', { output })
      }
    }
  }

  *#other(type: string, chunk: Chunk): Iterable<Piece> {
    switch (type) {
      case 'STEP_STARTED': {
        const step = textOf(chunk, 'stepName')
        if (step !== null) yield { kind: 'step', step }
        return
      }
      case 'CUSTOM': {
        const name = (textOf(chunk, 'name') ?? 'custom').replaceAll(/[^A-Za-z0-9_.:~-]/g, '_')
        const part = {
          type: `data-${name}`.slice(0, 64),
          id: this.#nextPart(),
          data: chunk['value'],
        }
        return yield { kind: 'put', part }
      }
      case 'RUN_ERROR':
        return yield { kind: 'end', status: 'failed', reason: textOf(chunk, 'message') ?? type }
      case 'RUN_FINISHED':
        return yield* this.#outcome(chunk)
    }
  }

  /** The other side's word for a question to a person is "interrupt". */
  *#outcome(chunk: Chunk): Iterable<Piece> {
    const outcome = isChunk(chunk['outcome']) ? chunk['outcome'] : {}
    if (outcome['type'] === 'cancelled') {
      yield { kind: 'end', status: 'interrupted', reason: 'cancelled' }
    }
    const interrupts = Array.isArray(outcome['interrupts']) ? outcome['interrupts'] : []
    for (const value of interrupts.filter(isChunk)) {
      yield { kind: 'interrupt', interrupt: { id: textOf(value, 'id') ?? '', value } }
    }
  }

  /** A call that came in chunks has no event that ends it. */
  *end(): Iterable<Piece> {
    if (this.#call !== '') yield* this.#tools.inputEnd(this.#call)
  }
}
