/** A key of the state, as its field has it. */
export interface StateField {
  /** 0: it was never set. */
  readonly version: number
  /** JSON text as it came; `null`: it is not set. */
  readonly value: string | null
}

/** `<version> <value>`; a key that was deleted has its version alone, so that versions go on. */
export function stateText({ version, value }: StateField): string {
  return value === null ? String(version) : `${version} ${value}`
}

export function parseStateText(text: string | null): StateField {
  if (text === null) return { version: 0, value: null }
  const space = text.indexOf(' ')
  if (space < 0) return { version: Number(text), value: null }
  return { version: Number(text.slice(0, space)), value: text.slice(space + 1) }
}

/** The keys that are set, and the bytes that each takes of the view: what the limits are about. */
export function parseStateIndex(text: string | null): Map<string, number> {
  // The record holds only what `stateIndexText` writes.
  return new Map(text === null ? [] : (JSON.parse(text) as [string, number][]))
}

export function stateIndexText(index: ReadonlyMap<string, number>): string | null {
  return index.size === 0 ? null : JSON.stringify([...index])
}
