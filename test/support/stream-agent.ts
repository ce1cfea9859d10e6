import type { Place } from './answer.ts'
import type { StreamPart } from './recordings.ts'

/** An event of a message, as an agent sends it. */
interface NewEvent {
  readonly id: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface Part {
  readonly type: string
  readonly id: string
  readonly text?: string
  readonly [field: string]: unknown
}

/**
 * Publishes a stream of the AI SDK to a session, over plain HTTP: text as deltas, everything else as parts that take the place of what they complete.
 * @returns the parts as they were read, built apart from any fold
 */
export async function publishStream(
  place: Place,
  session: string,
  message: string,
  stream: AsyncIterable<StreamPart>,
  published: (count: number) => Promise<void>,
): Promise<readonly Part[]> {
  const read = new Map<string, Part>()
  let count = 0
  const append = async (type: string, data: NewEvent['data']): Promise<void> => {
    await send(place, session, { id: `${message}-${count}`, type, data: { message, ...data } })
    await published(++count)
  }
  await append('message.started', { role: 'assistant' })
  for await (const part of stream) {
    const piece = pieceOf(part)
    if (piece === null) continue
    const { id } = piece
    if ('delta' in piece) {
      const old = read.get(id)
      read.set(id, { type: piece.type, id, text: (old?.text ?? '') + piece.delta })
      await append('message.delta', { part: id, type: piece.type, text: piece.delta })
    } else {
      const whole = { ...read.get(id), ...piece }
      read.set(id, whole)
      await append('message.delta', { add: whole })
    }
  }
  await append('message.completed', {})
  return [...read.values()]
}

type Piece = { readonly type: string; readonly id: string; readonly delta: string } | Part

function pieceOf(part: StreamPart): Piece | null {
  if (part.type === 'text-delta')
    return { type: 'text', id: idOf('text', part.id), delta: part.text }
  if (part.type === 'reasoning-delta')
    return { type: 'reasoning', id: idOf('reasoning', part.id), delta: part.text }
  if (part.type === 'tool-input-delta')
    return { type: 'tool-input', id: idOf('input', part.id), delta: part.delta }
  if (part.type === 'source') return { ...part, type: 'source', id: idOf('source', part.id) }
  return toolPiece(part)
}

function toolPiece(part: StreamPart): Part | null {
  if (part.type !== 'tool-call' && part.type !== 'tool-result' && part.type !== 'tool-error')
    return null
  const common = { type: 'tool', id: idOf('tool', part.toolCallId), name: part.toolName }
  if (part.type === 'tool-call') return { ...common, state: 'called', input: part.input as unknown }
  if (part.type === 'tool-result')
    return { ...common, state: 'done', output: part.output as unknown }
  return { ...common, state: 'failed', error: String(part.error) }
}

/** Providers have ids of their own form; a part's is of ours. */
function idOf(kind: string, id: string): string {
  return `${kind}-${id.replaceAll(/[^A-Za-z0-9_.:~-]/g, '_')}`.slice(0, 128)
}

async function send(place: Place, session: string, event: NewEvent): Promise<void> {
  const response = await fetch(`${place.url}/v1/sessions/${session}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${place.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(event),
  })
  if (!response.ok) throw new Error(`unable to append; ${await response.text()}`)
}
