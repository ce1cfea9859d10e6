import type { WireEvent } from '../../../src/protocol/event.ts'
import { View } from '../../../src/protocol/fold/view.ts'
import type { ResetReason } from '../../../src/protocol/frames-down.ts'
import { GENESIS_TAG, type Epoch, type Tag } from '../../../src/protocol/ids.ts'
import { genesis, type Position } from '../../../src/protocol/position.ts'

export interface Draft {
  readonly type: string
  readonly id?: string
  readonly data?: unknown
}

let made = 0
const unique = (length: number): string => String(made++).padStart(length, 'x')

/** One session's log as PROTOCOL.md has it, with the accidents that it speaks of. */
export class ModelLog {
  epoch = unique(10) as Epoch
  events: WireEvent[] = []
  /** Views by serial: what the fold of the log is, whatever is trimmed. */
  #folded: View = new View(genesis(this.epoch))
  floor = 0

  get head(): Position {
    const last = this.events.at(-1)
    return { epoch: this.epoch, serial: last?.serial ?? 0, tag: (last?.tag ?? GENESIS_TAG) as Tag }
  }

  /** The fold of everything up to the head. */
  get view(): View {
    return this.#folded
  }

  append(drafts: readonly Draft[], subject: string, at: number): WireEvent[] {
    return drafts.map((draft) => {
      const { serial, tag } = this.head
      const event: WireEvent = {
        serial: serial + 1,
        tag: unique(8),
        prev: tag,
        at,
        type: draft.type,
        id: draft.id ?? unique(12),
        by: { subject },
        data: draft.data ?? {},
      }
      this.events.push(event)
      this.#folded.apply(event)
      return event
    })
  }

  /** A failover lost the last `count` events, and others were written in their place under the same epoch. */
  fork(count: number, at: number): void {
    const lost = this.events.splice(Math.max(0, this.events.length - count))
    this.#refold()
    this.append(
      lost.map((event) => ({ type: 'x.other', data: { instead: event.serial } })),
      'server',
      at,
    )
  }

  /** A failover lost the last `count` events, and nothing has taken their place yet. */
  lose(count: number): void {
    this.events.splice(Math.max(0, this.events.length - count))
    this.#refold()
  }

  /** The data is gone: a new incarnation. */
  recreate(): void {
    this.epoch = unique(10) as Epoch
    this.events = []
    this.floor = 0
    this.#refold()
  }

  trim(count: number): void {
    this.floor = Math.min(this.head.serial, this.floor + count)
  }

  /** Why what follows a position can't be given; `null` where it can. [P-4.4] */
  judge(position: Position): ResetReason | null {
    if (position.epoch !== this.epoch) return 'epoch'
    if (position.serial > this.head.serial) return 'ahead'
    if (position.serial < this.floor) return 'trimmed'
    const tag = position.serial === 0 ? GENESIS_TAG : this.events[position.serial - 1]?.tag
    return tag === position.tag ? null : 'fork'
  }

  after(serial: number): readonly WireEvent[] {
    return this.events.slice(serial)
  }

  #refold(): void {
    this.#folded = new View(genesis(this.epoch))
    for (const event of this.events) this.#folded.apply(event)
  }
}
