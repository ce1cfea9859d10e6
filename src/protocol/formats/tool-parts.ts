import type { NamedPart } from './message-writer.ts'
import { jsonOr, partId, type Piece } from './piece.ts'

/**
 * How far a tool's call is. `input`: its arguments are being written (as the part's text); `called`: they are there; then `running` (something
 * came already), `done`, `failed` or `denied`; `approval`: it waits for a person.
 */
export type ToolState = 'input' | 'called' | 'running' | 'approval' | 'done' | 'failed' | 'denied'

/** The tool parts of a message: one a call, which every step of the call replaces by more of it. */
export class ToolParts {
  readonly #parts = new Map<string, NamedPart>()
  readonly #texts = new Map<string, string>()
  /** How often an id has come for another call, by the id. */
  readonly #again = new Map<string, number>()

  has(call: string): boolean {
    return this.#parts.has(call)
  }

  get(call: string): NamedPart | undefined {
    return this.#parts.get(call)
  }

  /** What comes with this id from now on is another call. */
  another(call: string): void {
    this.forget(call)
    this.#again.set(call, (this.#again.get(call) ?? 1) + 1)
  }

  /** The call begins anew. */
  forget(call: string): void {
    this.#parts.delete(call)
    this.#texts.delete(call)
  }

  /** A call as it stands now, whole. */
  put(call: string, state: ToolState, fields: Readonly<Record<string, unknown>>): Piece {
    const id = this.#idOf(call)
    const old = this.#parts.get(call) ?? { type: 'tool', id, name: 'tool', call }
    const part: NamedPart = { ...old, ...fields, type: 'tool', id, state }
    this.#parts.set(call, part)
    return { kind: 'put', part }
  }

  /** A piece of the arguments. */
  *input(call: string, text: string): Iterable<Piece> {
    if (text === '') return
    if (!this.has(call)) yield this.put(call, 'input', {})
    this.#texts.set(call, (this.#texts.get(call) ?? '') + text)
    yield { kind: 'text', part: this.#idOf(call), type: 'tool', text }
  }

  /** All of the arguments have come, as pieces. */
  *inputEnd(call: string): Iterable<Piece> {
    if (this.#parts.get(call)?.['state'] !== 'input') return
    const text = this.#texts.get(call)
    this.#texts.delete(call)
    yield this.put(call, 'called', { input: text === undefined ? {} : jsonOr(text) })
  }

  #idOf(call: string): string {
    const count = this.#again.get(call)
    return partId('tool', count === undefined ? call : `${count}~${call}`)
  }
}
