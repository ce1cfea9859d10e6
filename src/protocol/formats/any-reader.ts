import { AgUiReader } from './from-ag-ui.ts'
import { AiSdkReader } from './from-ai-sdk.ts'
import { LangGraphReader } from './from-langgraph.ts'
import { TextReader } from './from-text.ts'
import { isChunk, type NextPart, type Piece, type Reader } from './piece.ts'

/** Reads whatever comes, by the form of each chunk: text or bytes, AI SDK, AG-UI, LangGraph. */
export class AnyReader implements Reader {
  readonly #readers: {
    readonly text: Reader
    readonly aiSdk: Reader
    readonly agUi: Reader
    readonly langGraph: Reader
  }

  constructor(nextPart: NextPart) {
    this.#readers = {
      text: new TextReader(nextPart),
      aiSdk: new AiSdkReader(nextPart),
      agUi: new AgUiReader(nextPart),
      langGraph: new LangGraphReader(nextPart),
    }
  }

  read(chunk: unknown): Iterable<Piece> {
    return this.#readers[formOf(chunk)].read(chunk)
  }

  *end(): Iterable<Piece> {
    for (const reader of Object.values(this.#readers)) yield* reader.end?.() ?? []
  }
}

const UPPER = /^[A-Z][A-Z_]*$/

function formOf(chunk: unknown): 'text' | 'aiSdk' | 'agUi' | 'langGraph' {
  if (typeof chunk === 'string' || chunk instanceof Uint8Array) return 'text'
  if (Array.isArray(chunk)) return 'langGraph'
  const type = isChunk(chunk) ? chunk['type'] : null
  if (typeof type === 'string') return UPPER.test(type) ? 'agUi' : 'aiSdk'
  throw new TypeError('unable to pipe; a chunk has no form that is known')
}
