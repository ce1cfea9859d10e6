import type { Sink } from '../../../src/core/cursor.ts'
import type { Batch } from '../../../src/core/feed.ts'
import type { Following, Hub } from '../../../src/core/hub.ts'
import type { ResetReason } from '../../../src/protocol/frames-down.ts'
import { formatPosition, genesis, type Position } from '../../../src/protocol/position.ts'
import type { SessionId, Tag } from '../../../src/protocol/ids.ts'
import type { FakeClock } from '../../support/fake-clock.ts'
import type { FakeRandom } from '../../support/fake-random.ts'
import type { SimBackend, Truth } from '../../support/sim-backend.ts'

export interface Stage {
  readonly clock: FakeClock
  readonly random: FakeRandom
  readonly backend: SimBackend
  readonly hubs: readonly Hub[]
  /** Notes what must not be. */
  readonly violation: (what: string) => void
  /** In a calm run nothing is lost, so that a reset has one reason alone: what was asked for was trimmed. */
  readonly calm: boolean
}

const RETRY_MS = 300

/**
 * A reader as strict as can be: it heals nothing itself. It takes what its cursor delivers, and every event that is not the next
 * one of its chain is a violation.
 */
export class Subscriber implements Sink {
  readonly #stage: Stage
  readonly #session: SessionId
  readonly #name: string
  #position: Position
  /** The tag of every event that it holds, by serial; a snapshot brings all up to its position. */
  #content = new Map<number, Tag>()
  #following: Following | null = null
  /** Counts attachments, so that a late answer to an earlier one is known. */
  #life = 0
  /** Detached, and not coming back by itself. */
  away = true
  full = false

  constructor(name: string, session: SessionId, stage: Stage) {
    this.#name = name
    this.#session = session
    this.#stage = stage
    this.#position = genesis(stage.random.epoch())
  }

  get position(): Position {
    return this.#position
  }

  /** Drops whatever connection there is and comes back at some node, from where it was. */
  async attach(hub: Hub): Promise<void> {
    this.detach()
    this.away = false
    const life = this.#life
    try {
      const following = await hub.follow(this.#session, null, this, () => undefined)
      if (life !== this.#life) return following.close()
      this.#following = following
      if (this.#content.size === 0) await this.#snapshot(life)
      else following.cursor.move(this.#position)
    } catch (error) {
      // By name: a mutated core has a class of its own.
      if (!(error instanceof Error) || error.name !== 'HeldlineError') throw error
      this.#retry(life)
    }
  }

  detach(): void {
    this.away = true
    this.#life++
    this.#following?.close()
    this.#following = null
  }

  /** A reader that was not full has nothing to say: no look that it did not need may help it. */
  makeRoom(): void {
    if (!this.full) return
    this.full = false
    this.#following?.cursor.pump()
  }

  ready(): boolean {
    return !this.full
  }

  deliver(batch: Batch): void {
    for (const event of batch.events) {
      const { serial, tag, epoch } = this.#position
      if (event.serial !== serial + 1) {
        this.#wrong(`was at ${serial} and got ${event.serial}`)
      } else if (event.prev !== tag) {
        this.#wrong(`got ${event.serial} after another ${serial} than it holds`)
      }
      this.#position = { epoch, serial: event.serial, tag: event.tag }
      this.#content.set(event.serial, event.tag)
    }
    if (formatPosition(batch.reaches) !== formatPosition(this.#position)) {
      this.#wrong(`a batch says that it reaches ${formatPosition(batch.reaches)}`)
    }
    // A slow reader: every so often a delivery fills it.
    if (this.#stage.random.chance(0.1)) this.full = true
  }

  reset(reason: ResetReason): void {
    this.#stage.backend.tally.add(`reset: ${reason}`)
    if (this.#stage.calm && reason !== 'trimmed')
      this.#wrong(`was reset for ${reason} in a calm run`)
    void this.#snapshot(this.#life)
  }

  gone(): void {
    if (this.#stage.calm) this.#wrong('was told that the session is gone')
    this.#retry(this.#life)
  }

  failed(): void {
    // The cursor looks again with the next verification.
  }

  /** That it stands at the head and holds what the store holds. */
  checkAtHead(truth: Truth): void {
    const last = truth.events.at(-1)
    const head = `${truth.epoch}.${last?.serial ?? 0}.${last?.tag ?? '--------'}`
    const at = formatPosition(this.#position)
    if (at !== head)
      return this.#wrong(`is at ${at} when it has had its time, and the head at ${head}`)
    for (const [serial, tag] of this.#content) {
      if (truth.events[serial - 1]?.tag === tag) continue
      return this.#wrong(`holds another event ${serial} than the log`)
    }
  }

  /** As a server's snapshot: the whole content, at some head that the log really had. */
  async #snapshot(life: number): Promise<void> {
    const { clock, random, backend } = this.#stage
    await clock.sleep(random.int(0, 5))
    const truth = backend.truth(this.#session)
    const last = truth?.events.at(-1)
    const content = new Map(truth?.events.map(({ serial, tag }) => [serial, tag]))
    await clock.sleep(random.int(0, 5))
    if (life !== this.#life) return
    if (truth === null || last === undefined) return this.#retry(life)
    this.#content = content
    this.#position = { epoch: truth.epoch, serial: last.serial, tag: last.tag }
    this.#following?.cursor.move(this.#position)
  }

  #retry(life: number): void {
    this.#stage.clock.after(RETRY_MS, () => {
      if (life === this.#life) void this.attach(this.#stage.random.pick(this.#stage.hubs))
    })
  }

  #wrong(what: string): void {
    this.#stage.violation(`${this.#name} ${what}`)
  }
}
