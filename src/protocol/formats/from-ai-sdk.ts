import {
  isChunk,
  partId,
  textOf,
  type Chunk,
  type NextPart,
  type Piece,
  type Reader,
} from './piece.ts'
import { TextParts } from './text-parts.ts'
import { ToolParts } from './tool-parts.ts'

/**
 * The chunks of the AI SDK: those of its UI message stream, and those of `fullStream`, which differ in a few names. What a later version adds
 * is passed over.
 */
export class AiSdkReader implements Reader {
  readonly #texts: TextParts
  readonly #tools = new ToolParts()
  readonly #nextPart: NextPart
  /** The calls that approvals are about. */
  readonly #approvals = new Map<string, string>()
  /** The parts of the step under way, for when it is tried again. */
  #step = new Set<string>()

  constructor(nextPart: NextPart) {
    this.#nextPart = nextPart
    this.#texts = new TextParts(nextPart)
  }

  *read(chunk: unknown): Iterable<Piece> {
    if (!isChunk(chunk)) return
    for (const piece of this.#read(chunk)) {
      if (piece.kind === 'text') this.#step.add(piece.part)
      if (piece.kind === 'put') this.#step.add(piece.part.id)
      yield piece
    }
  }

  *#read(chunk: Chunk): Iterable<Piece> {
    const type = textOf(chunk, 'type') ?? ''
    if (type.startsWith('text-') || type.startsWith('reasoning-')) yield* this.#text(type, chunk)
    else if (type.startsWith('tool-')) yield* this.#tool(type, chunk)
    else if (type.startsWith('data-')) yield* this.#data(type, chunk)
    else yield* this.#other(type, chunk)
  }

  *#text(type: string, chunk: Chunk): Iterable<Piece> {
    if (type === 'reasoning-file') return yield this.#file(chunk)
    const kind = type.startsWith('text') ? 'text' : 'reasoning'
    const id = textOf(chunk, 'id') ?? ''
    if (type.endsWith('-start')) this.#texts.begin(kind, id)
    const text = textOf(chunk, 'delta') ?? textOf(chunk, 'text') ?? ''
    if (type.endsWith('-delta')) yield* this.#texts.add(kind, id, text)
  }

  *#tool(type: string, chunk: Chunk): Iterable<Piece> {
    const call = textOf(chunk, 'toolCallId') ?? textOf(chunk, 'id') ?? ''
    const name = textOf(chunk, 'toolName')
    const named = name === null ? {} : { name }
    const tools = this.#tools
    switch (type) {
      case 'tool-input-start':
        return yield tools.put(call, 'input', named)
      case 'tool-input-delta':
        return yield* tools.input(
          call,
          textOf(chunk, 'inputTextDelta') ?? textOf(chunk, 'delta') ?? '',
        )
      case 'tool-input-available':
      case 'tool-call':
        return yield tools.put(call, 'called', { ...named, input: chunk['input'] })
      case 'tool-input-error':
        return yield tools.put(call, 'failed', {
          ...named,
          input: chunk['input'],
          error: textOf(chunk, 'errorText'),
        })
      case 'tool-output-available':
      case 'tool-result':
        return yield tools.put(call, chunk['preliminary'] === true ? 'running' : 'done', {
          ...named,
          output: chunk['output'],
        })
      case 'tool-output-error':
      case 'tool-error':
        return yield tools.put(call, 'failed', {
          ...named,
          error: textOf(chunk, 'errorText') ?? messageOf(chunk['error']),
        })
      case 'tool-output-denied':
        return yield tools.put(call, 'denied', named)
      case 'tool-approval-request':
        return yield* this.#approval(chunk)
      case 'tool-approval-response':
        return yield* this.#approved(chunk)
    }
  }

  *#approval(chunk: Chunk): Iterable<Piece> {
    const inner = isChunk(chunk['toolCall']) ? chunk['toolCall'] : chunk
    const call = textOf(inner, 'toolCallId') ?? ''
    const id = textOf(chunk, 'approvalId') ?? ''
    this.#approvals.set(id, call)
    yield this.#tools.put(call, 'approval', { approval: { id } })
  }

  *#approved(chunk: Chunk): Iterable<Piece> {
    const id = textOf(chunk, 'approvalId') ?? ''
    const call = this.#approvals.get(id)
    if (call === undefined) return
    const approved = chunk['approved'] === true
    const reason = textOf(chunk, 'reason')
    const approval = { id, approved, ...(reason !== null && { reason }) }
    yield this.#tools.put(call, approved ? 'called' : 'denied', { approval })
  }

  /** Data that is not to be kept is nobody's who comes later, so it is no part of the message. */
  *#data(type: string, chunk: Chunk): Iterable<Piece> {
    if (chunk['transient'] === true) return
    const given = textOf(chunk, 'id')
    const id = given === null ? this.#nextPart() : partId(type, given)
    yield { kind: 'put', part: { type: type.slice(0, 64), id, data: chunk['data'] } }
  }

  *#other(type: string, chunk: Chunk): Iterable<Piece> {
    switch (type) {
      case 'start':
      case 'finish':
      case 'message-metadata': {
        const metadata = chunk['messageMetadata']
        if (isChunk(metadata)) yield { kind: 'metadata', metadata }
        if (type === 'finish' && chunk['finishReason'] === 'interrupted') {
          yield { kind: 'end', status: 'interrupted', reason: 'interrupted' }
        }
        return
      }
      case 'start-step':
        this.#step = new Set()
        this.#texts.endAll()
        return
      case 'reset-step': {
        const parts = [...this.#step]
        this.#step = new Set()
        this.#texts.endAll()
        return yield { kind: 'remove', parts }
      }
      case 'abort':
        return yield { kind: 'end', status: 'interrupted', reason: textOf(chunk, 'reason') ?? type }
      case 'error': {
        const reason = textOf(chunk, 'errorText') ?? messageOf(chunk['error'])
        return yield { kind: 'end', status: 'failed', reason }
      }
      case 'file':
        return yield this.#file(chunk)
      case 'source':
      case 'source-url':
      case 'source-document':
        return yield this.#source(chunk)
      case 'custom': {
        const { type: _type, ...rest } = chunk
        return yield { kind: 'put', part: { ...rest, type, id: this.#nextPart() } }
      }
    }
  }

  #file(chunk: Chunk): Piece {
    const inner = isChunk(chunk['file']) ? chunk['file'] : chunk
    const mediaType = textOf(inner, 'mediaType') ?? 'application/octet-stream'
    const base64 = textOf(inner, 'base64')
    const url = base64 === null ? textOf(inner, 'url') : `data:${mediaType};base64,${base64}`
    return { kind: 'put', part: { type: 'file', id: this.#nextPart(), mediaType, url } }
  }

  #source(chunk: Chunk): Piece {
    const { type: _type, sourceId, id, sourceType: _kind, ...rest } = chunk
    const given = typeof sourceId === 'string' ? sourceId : typeof id === 'string' ? id : null
    const name = given === null ? this.#nextPart() : partId('source', given)
    return { kind: 'put', part: { ...rest, type: 'source', id: name } }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
