import { createHash } from 'node:crypto'

/**
 * What happened in a run, as everybody who took part saw it: one entry a fact, in the order in which one process learned of them. Written as JSON lines
 * when a run fails.
 */
export type Fact =
  | { readonly kind: 'append.invoke'; readonly id: string }
  | {
      readonly kind: 'append.ok'
      readonly id: string
      readonly epoch: string
      readonly serial: number | null
      readonly mode: string
    }
  | { readonly kind: 'append.refused'; readonly id: string; readonly code: string }
  | { readonly kind: 'append.unknown'; readonly id: string; readonly why: string }
  | { readonly kind: 'attach'; readonly node: string; readonly position: string | null }
  | ({ readonly kind: 'event' } & Seen)
  | {
      readonly kind: 'snapshot'
      readonly position: string
      readonly since: number | null
    }
  | {
      readonly kind: 'reset'
      readonly reason: string
      readonly floor: number
      readonly head: string
      readonly position: string
    }
  | { readonly kind: 'error'; readonly code: string }
  | { readonly kind: 'goaway'; readonly afterMs: number }
  | { readonly kind: 'close'; readonly code: number }
  | { readonly kind: 'history'; readonly node: string; readonly events: readonly Seen[] }
  | { readonly kind: 'nemesis'; readonly what: string }

/** One event as somebody saw it. */
export interface Seen {
  readonly epoch: string
  readonly serial: number
  readonly tag: string
  readonly prev: string
  /** Who sent what, as the sender knows it: `null` for the server's own events. */
  readonly id: string | null
  readonly crc: string
}

export type Entry = Fact & { readonly ms: number; readonly who: string; readonly session: string }

export class History {
  readonly entries: Entry[] = []
  readonly #startedAt = performance.now()

  record(who: string, session: string, fact: Fact): void {
    this.entries.push({ ms: performance.now() - this.#startedAt, who, session, ...fact })
  }

  of<Kind extends Fact['kind']>(kind: Kind): Extract<Entry, { readonly kind: Kind }>[] {
    // The filter is the proof that TypeScript cannot see.
    return this.entries.filter((entry) => entry.kind === kind) as Extract<
      Entry,
      { readonly kind: Kind }
    >[]
  }

  lines(): string {
    return this.entries.map((entry) => JSON.stringify(entry)).join('\n')
  }
}

/** An event of the wire, as text of its fields that a client could compare. */
export function seen(epoch: string, event: WireEventLike): Seen {
  const { serial, tag, prev } = event
  const content = JSON.stringify([event.type, event.id, event.at, event.data])
  const crc = createHash('sha1').update(content).digest('base64url').slice(0, 12)
  return { epoch, serial, tag, prev, id: keyOf(event), crc }
}

export interface WireEventLike {
  readonly serial: number
  readonly tag: string
  readonly prev: string
  readonly at: number
  readonly type: string
  readonly id: string
  readonly data?: unknown
}

/** The sender's name for an event: in its data, so that it is there whatever made the append idempotent. */
function keyOf(event: WireEventLike): string | null {
  const { data } = event
  if (typeof data === 'object' && data !== null && 'key' in data && typeof data.key === 'string') {
    return data.key
  }
  return null
}
