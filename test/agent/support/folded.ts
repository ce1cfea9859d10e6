import type { Draft } from '../../../src/protocol/formats/draft.ts'
import { MessageWriter } from '../../../src/protocol/formats/message-writer.ts'
import { pipeInto, type Piped } from '../../../src/agent/pipe/pipe.ts'
import type { Pipeable } from '../../../src/agent/pipe/read-stream.ts'
import type { Message } from '../../../src/protocol/fold/message.ts'
import { View } from '../../../src/protocol/fold/view.ts'
import { GENESIS_TAG, type Epoch, type Tag } from '../../../src/protocol/ids.ts'

export interface Folded {
  readonly drafts: readonly Draft[]
  readonly message: Message | undefined
  readonly piped: Piped | null
  readonly error: unknown
  readonly steps: readonly string[]
  readonly checkpoints: readonly unknown[]
}

/** What people see of a stream that is piped: its events, folded as they are everywhere. */
export async function fold(
  stream: Pipeable,
  signal = new AbortController().signal,
): Promise<Folded> {
  const drafts: Draft[] = []
  const steps: string[] = []
  const checkpoints: unknown[] = []
  const lane = { write: (draft: Draft) => Promise.resolve(void drafts.push(draft)) }
  const writer = new MessageWriter('m', lane, {}, null)
  const hooks = {
    step: (step: string) => void steps.push(step),
    checkpoint: (checkpoint: unknown) => void checkpoints.push(checkpoint),
  }
  const outcome = await pipeInto(writer, stream, signal, hooks, {}).then(
    (piped) => ({ piped, error: null }),
    (error: unknown) => ({ piped: null, error }),
  )
  return { drafts, message: viewOf(drafts).messages.get('m'), steps, checkpoints, ...outcome }
}

/** The message after each of its events. */
export function statesOf(drafts: readonly Draft[]): readonly Message[] {
  const states: Message[] = []
  viewOf(drafts, (message) => states.push(message))
  return states
}

function viewOf(drafts: readonly Draft[], seen?: (message: Message) => void): View {
  // A made-up log: the fold looks at the links, not at where they come from.
  const view = new View({ epoch: 'epochepoch' as Epoch, serial: 0, tag: GENESIS_TAG })
  for (const [index, { type, data }] of drafts.entries()) {
    const tag = String(index).padStart(8, '0') as Tag
    const { serial, tag: prev } = view.position
    const by = { subject: 'key:agent' }
    const event = { serial: serial + 1, tag, prev, at: index, type, id: tag, by }
    if (!view.apply({ ...event, data: JSON.parse(JSON.stringify(data)) as unknown })) {
      throw new Error('the made-up log has a gap')
    }
    const message = view.messages.get('m')
    if (message !== undefined) seen?.(message)
  }
  return view
}
