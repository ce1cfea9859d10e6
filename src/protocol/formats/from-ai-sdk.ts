import { AiSdkTexts } from './ai-sdk-texts.ts'
import { AiSdkTools, errorOf } from './ai-sdk-tools.ts'
import { mergeObjects } from './merge-objects.ts'
import {
  isChunk,
  partId,
  textOf,
  type Chunk,
  type NextPart,
  type Piece,
  type Reader,
} from './piece.ts'

/**
 * The chunks of the AI SDK: those of its UI message stream, and those of `fullStream`, which differ in a few names. What a later version adds
 * is passed over. `to-ai-sdk.ts` makes the same message of the parts again, so nothing of it may be lost here; beside the parts that people read there are
 * `step-start` (a step begins), `steering-message`, and `part-info` about the part of the id `part` (`done`, `open`, `providerMetadata`, `citations`) or about the
 * end of the stream (`finishReason`).
 *
 * What does not survive: data that is transient, metadata that is no object, and why a stream was aborted.
 */
export class AiSdkReader implements Reader {
  readonly #texts: AiSdkTexts
  readonly #tools = new AiSdkTools()
  readonly #nextPart: NextPart
  /** All parts but those that say something about others. */
  readonly #known = new Set<string>()
  /** The parts that the step under way has begun, for when it is tried again. */
  #step = new Set<string>()
  #steps = 0
  #metadata: Chunk = {}
  /** A step is shown with its first part. */
  #stepBegins: string | null = null

  constructor(nextPart: NextPart) {
    this.#nextPart = nextPart
    this.#texts = new AiSdkTexts(nextPart)
  }

  *read(chunk: unknown): Iterable<Piece> {
    if (!isChunk(chunk)) return
    for (const piece of this.#read(chunk)) yield* this.#tell(piece)
  }

  *#tell(piece: Piece): Iterable<Piece> {
    const part = piece.kind === 'put' ? piece.part.id : piece.kind === 'text' ? piece.part : null
    if (part !== null) yield* this.#stepStart()
    if (part !== null && !this.#known.has(part)) {
      this.#known.add(part)
      this.#step.add(part)
      if (isContent(piece)) for (const other of this.#texts.others()) yield* this.#tell(other)
    }
    yield piece
  }

  *#read(chunk: Chunk): Iterable<Piece> {
    const type = textOf(chunk, 'type') ?? ''
    if (type === 'reasoning-file') yield this.#file(chunk)
    else if (type.startsWith('text-') || type.startsWith('reasoning-'))
      yield* this.#text(type, chunk)
    else if (type.startsWith('tool-')) yield* this.#tools.read(type, chunk)
    else if (type.startsWith('data-')) yield* this.#data(type, chunk)
    else if (PARTS.has(type)) yield this.#part(type, chunk)
    else yield* this.#other(type, chunk)
  }

  *#text(event: string, chunk: Chunk): Iterable<Piece> {
    const type = event.startsWith('text') ? 'text' : 'reasoning'
    const id = textOf(chunk, 'id') ?? ''
    const metadata = chunk['providerMetadata'] ?? undefined
    if (event.endsWith('-start')) {
      yield* this.#texts.others()
      this.#texts.begin(type, id, metadata)
    } else if (event.endsWith('-delta')) {
      const text = textOf(chunk, 'delta') ?? textOf(chunk, 'text') ?? ''
      yield* this.#texts.add(type, id, text, metadata)
    } else if (event.endsWith('-end')) {
      yield* this.#texts.end(type, id, metadata, chunk['citations'] ?? undefined)
    }
  }

  /** Data that is not to be kept is nobody's who comes later, so it is no part of the message. */
  *#data(type: string, chunk: Chunk): Iterable<Piece> {
    if (chunk['transient'] === true) return
    const given = textOf(chunk, 'id')
    const id = given === null ? this.#nextPart() : partId(type, given)
    const dataId = given === null || id === `${type}-${given}` ? {} : { dataId: given }
    yield { kind: 'put', part: { type: type.slice(0, 64), id, ...dataId, data: chunk['data'] } }
  }

  /** What comes whole, and never changes. */
  #part(type: string, chunk: Chunk): Piece {
    if (type === 'file') return this.#file(chunk)
    if (type.startsWith('source')) return this.#source(chunk)
    const { type: _type, id: steering, ...rest } = chunk
    const named = type === 'steering-message' ? { steering } : {}
    return { kind: 'put', part: { ...rest, ...named, type, id: this.#nextPart() } }
  }

  *#other(type: string, chunk: Chunk): Iterable<Piece> {
    switch (type) {
      case 'start':
      case 'finish':
      case 'message-metadata':
        return yield* this.#message(type, chunk)
      case 'start-step':
        yield* this.#stepStart()
        this.#texts.nextStep()
        yield* this.#texts.others()
        this.#step = new Set()
        this.#tools.nextStep()
        this.#stepBegins = `step-${++this.#steps}`
        return
      case 'finish-step':
        return yield* this.#stepStart()
      case 'reset-step': {
        const parts = [...this.#step]
        this.#step = new Set()
        for (const part of parts) this.#known.delete(part)
        this.#texts.forget()
        this.#tools.resetStep()
        return yield { kind: 'remove', parts }
      }
      case 'abort':
        yield* this.#cut()
        return yield { kind: 'end', status: 'interrupted', reason: textOf(chunk, 'reason') ?? type }
      case 'error':
        yield* this.#cut()
        return yield { kind: 'end', status: 'failed', reason: errorOf(chunk) }
    }
  }

  *#message(type: string, chunk: Chunk): Iterable<Piece> {
    const metadata = chunk['messageMetadata']
    if (isChunk(metadata)) {
      this.#metadata = mergeObjects(this.#metadata, metadata)
      yield { kind: 'metadata', metadata: this.#metadata }
    }
    const reason = type === 'finish' ? textOf(chunk, 'finishReason') : null
    if (reason === 'interrupted') {
      yield* this.#cut()
      yield { kind: 'end', status: 'interrupted', reason }
    } else if (reason !== null && reason !== 'stop' && this.#known.size > 0) {
      const id = partId('info', type)
      yield { kind: 'put', part: { type: 'part-info', id, finishReason: reason } }
    }
  }

  *#stepStart(): Iterable<Piece> {
    const id = this.#stepBegins
    if (id === null) return
    this.#stepBegins = null
    this.#known.add(id)
    yield { kind: 'put', part: { type: 'step-start', id } }
  }

  *#cut(): Iterable<Piece> {
    yield* this.#stepStart()
    yield* this.#texts.cut()
  }

  #file(chunk: Chunk): Piece {
    const inner = isChunk(chunk['file']) ? chunk['file'] : chunk
    const mediaType = textOf(inner, 'mediaType') ?? 'application/octet-stream'
    const base64 = textOf(inner, 'base64')
    const url = base64 === null ? textOf(inner, 'url') : `data:${mediaType};base64,${base64}`
    const { providerMetadata } = chunk
    return {
      kind: 'put',
      part: {
        type: 'file',
        id: this.#nextPart(),
        mediaType,
        url,
        ...(chunk['type'] === 'reasoning-file' && { reasoning: true }),
        ...(providerMetadata !== undefined && { providerMetadata }),
      },
    }
  }

  #source(chunk: Chunk): Piece {
    const { type: _type, sourceId, id, sourceType: _kind, ...rest } = chunk
    const given = typeof sourceId === 'string' ? sourceId : typeof id === 'string' ? id : null
    const made = given === null ? this.#nextPart() : partId('source', given)
    const name = this.#known.has(made) ? this.#nextPart() : made
    const named = given === null || name === `source-${given}` ? {} : { sourceId: given }
    return { kind: 'put', part: { ...rest, ...named, type: 'source', id: name } }
  }
}

const PARTS = new Set([
  'file',
  'source',
  'source-url',
  'source-document',
  'custom',
  'steering-message',
])

/** A text says itself when it begins. */
function isContent(piece: Piece): boolean {
  return piece.kind === 'put' && !/^(text|reasoning|part-info)$/.test(piece.part.type)
}
