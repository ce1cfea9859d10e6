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

/** What `graph.stream(…, {streamMode: […]})` yields: `[mode, chunk]`, and with subgraphs `[namespace, mode, chunk]`. */
export class LangGraphReader implements Reader {
  readonly #texts: TextParts
  readonly #tools = new ToolParts()
  readonly #nextPart: NextPart
  /** Calls whose arguments are still coming, by the message and their index in it. */
  readonly #calls = new Map<string, string>()
  #message = ''

  constructor(nextPart: NextPart) {
    this.#nextPart = nextPart
    this.#texts = new TextParts(nextPart)
  }

  *read(tuple: unknown): Iterable<Piece> {
    if (!Array.isArray(tuple)) return
    const [mode, chunk] = (tuple.length > 2 ? tuple.slice(1) : tuple) as readonly unknown[]
    switch (mode) {
      case 'messages':
        return yield* this.#messages(chunk)
      case 'updates':
        return yield* this.#updates(chunk)
      case 'tasks':
        return yield* this.#task(chunk)
      case 'custom':
        return yield {
          kind: 'put',
          part: { type: 'data-custom', id: this.#nextPart(), data: chunk },
        }
      case 'checkpoints':
        return yield* this.#checkpoint(chunk)
    }
  }

  *end(): Iterable<Piece> {
    yield* this.#inputsEnd()
  }

  *#messages(pair: unknown): Iterable<Piece> {
    const outer: unknown = Array.isArray(pair) ? pair[0] : pair
    if (!isChunk(outer)) return
    // As it was written to the wire by somebody: {lc, type: "constructor", kwargs}.
    const message = isChunk(outer['kwargs']) ? outer['kwargs'] : outer
    const type = typeOf(outer)
    if (type === 'tool') return yield* this.#result(message)
    if (type !== 'ai') return
    const id = textOf(message, 'id') ?? ''
    if (id !== this.#message) yield* this.#inputsEnd()
    this.#message = id
    yield* this.#thoughts(id, message)
    yield* this.#content(id, message['content'])
    yield* this.#toolCalls(id, message)
  }

  *#thoughts(id: string, message: Chunk): Iterable<Piece> {
    const more = message['additional_kwargs']
    if (!isChunk(more)) return
    yield* this.#texts.add('reasoning', id, textOf(more, 'reasoning_content') ?? '')
  }

  *#content(id: string, content: unknown): Iterable<Piece> {
    if (typeof content === 'string') return yield* this.#texts.add('text', id, content)
    if (!Array.isArray(content)) return
    for (const block of content.filter(isChunk)) {
      const text = textOf(block, 'text')
      const thought = textOf(block, 'thinking') ?? textOf(block, 'reasoning')
      if (thought !== null) yield* this.#texts.add('reasoning', id, thought)
      else if (text !== null) yield* this.#texts.add('text', id, text)
    }
  }

  *#toolCalls(id: string, message: Chunk): Iterable<Piece> {
    const chunks = message['tool_call_chunks']
    if (Array.isArray(chunks) && chunks.length > 0) {
      for (const chunk of chunks.filter(isChunk)) yield* this.#toolChunk(id, chunk)
      return
    }
    const calls = message['tool_calls']
    if (!Array.isArray(calls)) return
    for (const call of calls.filter(isChunk)) {
      const callId = textOf(call, 'id') ?? ''
      if (this.#tools.has(callId)) continue
      yield this.#tools.put(callId, 'called', { name: textOf(call, 'name'), input: call['args'] })
    }
  }

  *#toolChunk(message: string, chunk: Chunk): Iterable<Piece> {
    const index = typeof chunk['index'] === 'number' ? chunk['index'] : 0
    const key = `${message} ${index}`
    const given = textOf(chunk, 'id')
    const call = given ?? this.#calls.get(key)
    if (call === undefined) return
    this.#calls.set(key, call)
    const name = textOf(chunk, 'name')
    if (!this.#tools.has(call)) yield this.#tools.put(call, 'input', name === null ? {} : { name })
    yield* this.#tools.input(call, textOf(chunk, 'args') ?? '')
  }

  /** Nothing says that the arguments are whole, but what comes after them. */
  *#inputsEnd(): Iterable<Piece> {
    for (const call of this.#calls.values()) yield* this.#tools.inputEnd(call)
    this.#calls.clear()
  }

  *#result(message: Chunk): Iterable<Piece> {
    yield* this.#inputsEnd()
    const call = textOf(message, 'tool_call_id') ?? ''
    const name = textOf(message, 'name')
    const named = name === null ? {} : { name }
    const content = message['content']
    const output = typeof content === 'string' ? jsonOr(content) : content
    if (message['status'] !== 'error') yield this.#tools.put(call, 'done', { ...named, output })
    else yield this.#tools.put(call, 'failed', { ...named, error: output })
  }

  *#updates(chunk: unknown): Iterable<Piece> {
    yield* this.#inputsEnd()
    if (!isChunk(chunk)) return
    for (const [node, value] of Object.entries(chunk)) {
      if (node !== '__interrupt__') yield { kind: 'step', step: node }
      else if (Array.isArray(value)) {
        for (const one of value.filter(isChunk)) {
          const interrupt = { id: textOf(one, 'id') ?? '', value: one['value'] }
          yield { kind: 'interrupt', interrupt }
        }
      }
    }
  }

  *#task(chunk: unknown): Iterable<Piece> {
    const step = isChunk(chunk) && 'input' in chunk ? textOf(chunk, 'name') : null
    if (step !== null) yield { kind: 'step', step }
  }

  *#checkpoint(chunk: unknown): Iterable<Piece> {
    const config = isChunk(chunk) ? chunk['config'] : null
    const named = isChunk(config) ? config['configurable'] : null
    if (!isChunk(named)) return
    const { thread_id: thread, checkpoint_id: id, checkpoint_ns: namespace } = named
    // Those of a subgraph belong to it.
    if (typeof namespace === 'string' && namespace !== '') return
    yield { kind: 'checkpoint', checkpoint: { thread, id } }
  }
}

function typeOf(message: Chunk): 'ai' | 'tool' | 'other' {
  const { getType, _getType } = message
  const asked: unknown =
    typeof getType === 'function'
      ? (getType as () => unknown).call(message)
      : typeof _getType === 'function'
        ? (_getType as () => unknown).call(message)
        : classOf(message)
  if (asked === 'ai' || asked === 'AIMessageChunk' || asked === 'AIMessage') return 'ai'
  return asked === 'tool' || asked === 'ToolMessage' ? 'tool' : 'other'
}

function classOf(message: Chunk): unknown {
  return Array.isArray(message['id']) ? message['id'].at(-1) : message['type']
}
