import { isChunk, textOf, type Chunk, type Piece } from './piece.ts'
import { ToolParts } from './tool-parts.ts'

type Fields = Readonly<Record<string, unknown>>

/** The calls of tools in an AI SDK stream, and what people say to them. One that an earlier stream began `continues` here. */
export class AiSdkTools {
  readonly #tools = new ToolParts()
  /** The calls that approvals are about. */
  readonly #approvals = new Map<string, string>()
  /** The calls of the step under way: an id that comes again in another one is another call. */
  #step = new Set<string>()

  /** Another step begins. */
  nextStep(): void {
    this.#step = new Set()
  }

  /** The step under way is tried again. */
  resetStep(): void {
    for (const call of this.#step) this.#tools.forget(call)
    this.#step = new Set()
  }

  *read(type: string, chunk: Chunk): Iterable<Piece> {
    const call = textOf(chunk, 'toolCallId') ?? textOf(chunk, 'id') ?? ''
    switch (type) {
      case 'tool-input-start':
        return yield this.#begin(call, 'input', callFields(chunk))
      case 'tool-input-delta':
        return yield* this.#tools.input(
          call,
          textOf(chunk, 'inputTextDelta') ?? textOf(chunk, 'delta') ?? '',
        )
      case 'tool-input-available':
      case 'tool-call':
        if (chunk['invalid'] === true) return yield this.#invalid(call, chunk)
        return yield this.#begin(call, 'called', { ...callFields(chunk), input: chunk['input'] })
      case 'tool-input-error':
        return yield this.#invalid(call, chunk)
      case 'tool-approval-request':
        return yield this.#asked(chunk)
      case 'tool-approval-response':
        return yield* this.#answered(chunk)
      case 'tool-output-denied':
        // What the person said is known already; this says that the agent has heard it.
        return yield this.#tools.put(call, 'denied', {
          ...nameOf(chunk),
          ...(!this.#tools.has(call) && { continues: true }),
          heard: true,
        })
    }
    yield* this.#output(type, call, chunk)
  }

  *#output(type: string, call: string, chunk: Chunk): Iterable<Piece> {
    const metadata = chunk['providerMetadata']
    const fields = {
      ...nameOf(chunk),
      ...given(chunk, 'providerExecuted', 'toolMetadata'),
      ...(!this.#tools.has(call) && { ...given(chunk, 'dynamic'), continues: true }),
      ...(metadata !== undefined && { resultMetadata: metadata }),
    }
    if (type === 'tool-output-available' || type === 'tool-result') {
      const state = chunk['preliminary'] === true ? 'running' : 'done'
      yield this.#tools.put(call, state, { ...fields, output: chunk['output'] })
    } else if (type === 'tool-output-error' || type === 'tool-error') {
      yield this.#tools.put(call, 'failed', { ...fields, output: undefined, error: errorOf(chunk) })
    }
  }

  #begin(call: string, state: 'input' | 'called' | 'failed', fields: Fields): Piece {
    if (this.#tools.has(call) && !this.#step.has(call)) this.#tools.another(call)
    this.#step.add(call)
    return this.#tools.put(call, state, fields)
  }

  #invalid(call: string, chunk: Chunk): Piece {
    const { callMetadata: resultMetadata, title: _title, dynamic, ...fields } = callFields(chunk)
    const isNew = !this.#tools.has(call) || !this.#step.has(call)
    return this.#begin(call, 'failed', {
      ...fields,
      ...(isNew && dynamic !== undefined && { dynamic }),
      ...(resultMetadata !== undefined && { resultMetadata }),
      input: chunk['input'],
      error: errorOf(chunk),
      invalid: true,
    })
  }

  #asked(chunk: Chunk): Piece {
    const inner = isChunk(chunk['toolCall']) ? chunk['toolCall'] : chunk
    const call = textOf(inner, 'toolCallId') ?? ''
    const id = textOf(chunk, 'approvalId') ?? ''
    const reason = textOf(chunk, 'reason')
    const descriptor = chunk['approvalDescriptor']
    const approval = {
      id,
      ...(descriptor !== undefined && descriptor !== null && { descriptor }),
      ...given(chunk, 'inputSchemaInput', 'signature'),
      ...(reason !== null && { requestReason: reason }),
      ...(chunk['isAutomatic'] === true && { isAutomatic: true }),
    }
    this.#approvals.set(id, call)
    return this.#tools.put(call, 'approval', { approval })
  }

  *#answered(chunk: Chunk): Iterable<Piece> {
    const id = textOf(chunk, 'approvalId') ?? ''
    const call = this.#approvals.get(id)
    if (call === undefined) return
    const approved = chunk['approved'] === true
    const reason = textOf(chunk, 'reason')
    const asked = this.#tools.get(call)?.['approval']
    const metadata = chunk['providerMetadata']
    yield this.#tools.put(call, approved ? 'called' : 'denied', {
      approval: { ...(isChunk(asked) && asked), id, approved, ...(reason !== null && { reason }) },
      ...given(chunk, 'providerExecuted'),
      ...(metadata !== undefined && { callMetadata: metadata }),
    })
  }
}

/** What a call says of itself beside its input. */
function callFields(chunk: Chunk): Fields {
  const metadata = chunk['providerMetadata']
  return {
    ...nameOf(chunk),
    ...given(chunk, 'title', 'dynamic', 'providerExecuted', 'toolMetadata', 'inputEncoding'),
    ...(metadata !== undefined && { callMetadata: metadata }),
  }
}

function nameOf(chunk: Chunk): Fields {
  const name = textOf(chunk, 'toolName')
  return name === null ? {} : { name }
}

function given(chunk: Chunk, ...names: readonly string[]): Fields {
  const there = names.filter((name) => chunk[name] !== undefined && chunk[name] !== null)
  return Object.fromEntries(there.map((name) => [name, chunk[name]]))
}

export function errorOf({ errorText, error }: Chunk): string {
  if (typeof errorText === 'string') return errorText
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : (JSON.stringify(error) ?? 'failed')
}
