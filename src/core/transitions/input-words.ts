import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { InputMode } from '../../protocol/input-events.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import type { NewEvent } from '../store.ts'

export interface ReceiveRequest {
  readonly session: SessionId
  readonly input: string
  readonly mode: InputMode
  /** The run that it is meant for; `null`: whichever lives, or comes next. */
  readonly run: string | null
  /** JSON of what people read of it, as a message of the user; `null`: nothing. */
  readonly rawParts: string | null
  /** Of that message; without one, what is to be answered; `undefined`: not said. [P-16.5] */
  readonly parent: string | null | undefined
  readonly rawData: string | null
  readonly expiresInMs: number | null
  /** How long it may wait before the webhook is told of it; `null`: it is not. */
  readonly noticeAfterMs: number | null
  readonly nowMs: number
  readonly by: By
  readonly maxWaiting: number
  /** Of the data of those that wait together. */
  readonly maxBytes: number
}

/** What an input comes to, where it is met by what runs. */
export interface Aim {
  readonly mode: InputMode
  readonly run: string | null
  /** The runs that it stops. */
  readonly stops: readonly string[]
}

/** @param outcome what its sender is told, and told again by the store where the record has forgotten */
export function receivedEvent(
  request: ReceiveRequest,
  aim: Aim,
  outcome: 'queued' | 'delivered',
  print: string,
  random: Random,
): NewEvent {
  const { input, rawParts, parent, rawData, expiresInMs, nowMs, by } = request
  const data = withRaw(
    {
      input,
      mode: aim.mode,
      run: aim.run ?? undefined,
      message: rawParts === null ? undefined : input,
      parent,
      expiresAt: expiresInMs === null ? undefined : nowMs + expiresInMs,
    },
    { data: rawData },
  )
  const event = rawEventOf('input.received', data, by, random)
  return { ...event, dedupe: { id: dedupeId(input), fingerprint: `${outcome} ${print}` } }
}

/** Differs when what was sent differs. */
export function printOf(request: ReceiveRequest): string {
  const { mode, run, rawParts, parent, rawData, expiresInMs } = request
  const words = [mode, run ?? '', rawParts ?? '', rawData ?? '', String(expiresInMs ?? '')]
  return fingerprint(...words, ...(parent === undefined ? [] : [JSON.stringify(parent)]))
}

/** What the store remembers it by. */
export function dedupeId(input: string): string {
  return `input:${input}`
}
