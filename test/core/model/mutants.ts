import { vi } from 'vitest'
import type { Clock } from '../../../src/core/clock.ts'
import type * as CursorModule from '../../../src/core/cursor.ts'
import type { Sink, Source } from '../../../src/core/cursor.ts'
import type * as FeedModule from '../../../src/core/feed.ts'
import type { Batch } from '../../../src/core/feed.ts'
import type { Hub } from '../../../src/core/hub.ts'
import type * as JudgeModule from '../../../src/core/judge.ts'
import type { Signals, Wake } from '../../../src/core/signals.ts'
import type { Page, StoredEvent } from '../../../src/core/store.ts'
import type * as TailModule from '../../../src/core/tail.ts'
import type { Position } from '../../../src/protocol/position.ts'
import type { ModelOptions } from './run.ts'

/** A bug that people really write, planted: the model must find it within so many seeds, or it proves nothing. */
export interface Mutant {
  readonly name: string
  readonly seeds: number
  readonly plant: () => Promise<ModelOptions>
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no gap check: any later event is taken',
    seeds: 20,
    plant: async () => ({ weather: 'rough', hub: await withPushingFeed() }),
  },
  {
    name: 'no prev check: the next serial is taken, whatever it follows',
    seeds: 200,
    plant: async () => ({ weather: 'rough', hub: await withTrustingTail() }),
  },
  {
    name: 'no tag check on resume: the number is trusted',
    seeds: 100,
    plant: async () => ({ weather: 'rough', hub: await withoutReset('fork') }),
  },
  {
    name: 'no floor check: what is left of the log is given',
    seeds: 20,
    plant: async () => ({ weather: 'calm', hub: await withoutReset('trimmed') }),
  },
  {
    name: 'no ahead check: who is ahead waits in silence',
    seeds: 300,
    plant: async () => ({ weather: 'rough', hub: await withoutReset('ahead') }),
  },
  {
    name: 'replay, then subscribe',
    seeds: 500,
    plant: async () => ({ weather: 'calm', hearing: hearsLate }),
  },
  {
    name: 'a cursor drops what happens while it reads',
    seeds: 1000,
    plant: async () => ({ weather: 'calm', hub: await withDroppingCursor() }),
  },
  {
    name: 'a feed drops wake-ups while it reads',
    seeds: 50,
    plant: async () => ({ weather: 'calm', hub: await withDroppingFeed() }),
  },
  {
    name: 'readers join a read that began before the wake-up',
    seeds: 500,
    plant: async () => ({ weather: 'calm', hub: await withStaleReads() }),
  },
  {
    name: 'no periodic verification, and the last wake-up lost',
    seeds: 50,
    plant: async () => ({ weather: 'rough', verifyMs: 1e9 }),
  },
]

/** The hub of a core in which one module is another. */
async function mutated<Module extends object>(
  path: string,
  change: (original: Module) => Partial<Module>,
): Promise<typeof Hub> {
  vi.resetModules()
  vi.doMock(path, async (importOriginal) => {
    const original = await importOriginal<Module>()
    return { ...original, ...change(original) }
  })
  const core = await import('../../../src/core/hub.ts')
  vi.doUnmock(path)
  vi.resetModules()
  return core.Hub
}

/** Pushes what a wake-up carries to everybody, as long as it is later than what they have. */
function withPushingFeed(): Promise<typeof Hub> {
  return mutated<typeof FeedModule>('../../../src/core/feed.ts', (original) => ({
    Feed: class extends original.Feed {
      #pushed: readonly StoredEvent[] = []

      override wake(wake: Wake): void {
        if (wake.kind === 'committed') this.#pushed = wake.events
        super.wake(wake)
        this.pump()
      }

      override held(position: Position): Batch | null {
        const held = super.held(position)
        const events = this.#pushed.filter((event) => event.serial > position.serial)
        if (held !== null || events.length === 0) return held
        return this.batchOf({ ...emptyPage(position), events }, position)
      }
    },
  }))
}

function emptyPage({ epoch, serial, tag }: Position): Page {
  return { epoch, head: serial, tag, floor: 0, floorTag: tag, events: [] }
}

/** Links what it hears to whatever it holds, if only the number is the next. */
function withTrustingTail(): Promise<typeof Hub> {
  return mutated<typeof TailModule>('../../../src/core/tail.ts', (original) => ({
    Tail: class extends original.Tail {
      override take(...[epoch, events]: Parameters<TailModule.Tail['take']>) {
        let { serial, tag } = this.head
        const linked: StoredEvent[] = []
        for (const event of events.filter((one) => one.serial > this.head.serial)) {
          linked.push(event.serial === serial + 1 ? { ...event, prev: tag } : event)
          ;({ serial, tag } = event)
        }
        return super.take(epoch, linked)
      }
    },
  }))
}

/** A judge who does not know one of the reasons. */
function withoutReset(missing: 'fork' | 'trimmed' | 'ahead'): Promise<typeof Hub> {
  return mutated<typeof JudgeModule>('../../../src/core/judge.ts', (original) => ({
    judge: (position: Position, page: Page) => {
      const verdict = original.judge(position, page)
      if (verdict.kind !== 'reset' || verdict.reason !== missing) return verdict
      return page.events.length > 0 && position.serial < page.head
        ? { kind: 'events', events: page.events }
        : { kind: 'current' }
    },
  }))
}

/** Begins to hear some time after it was asked to: as if the head had been read before. */
function hearsLate(signals: Signals, clock: Clock): Signals {
  return {
    send: (session, payload) => signals.send(session, payload),
    onRestored: (listener) => signals.onRestored(listener),
    subscribe: (session, listener) => {
      let hears = false
      const timer = clock.after(12, () => {
        hears = true
      })
      const subscription = signals.subscribe(session, (wake) => {
        if (hears) listener(wake)
      })
      return {
        close: () => {
          timer.cancel()
          subscription.close()
        },
      }
    },
  }
}

function withDroppingCursor(): Promise<typeof Hub> {
  return mutated<typeof CursorModule>('../../../src/core/cursor.ts', (original) => ({
    Cursor: class extends original.Cursor {
      readonly #reads: Set<symbol>

      constructor(source: Source, sink: Sink, position: Position) {
        const reads = new Set<symbol>()
        super(watched(source, reads), sink, position)
        this.#reads = reads
      }

      override pump(): void {
        if (this.#reads.size === 0) super.pump()
      }
    },
  }))
}

function watched(source: Source, reads: Set<symbol>): Source {
  return {
    get head() {
      return source.head
    },
    held: (position) => source.held(position),
    batchOf: (page, position) => source.batchOf(page, position),
    page: async (after) => {
      const read = Symbol('read')
      reads.add(read)
      try {
        return await source.page(after)
      } finally {
        reads.delete(read)
      }
    },
  }
}

function withDroppingFeed(): Promise<typeof Hub> {
  return mutated<typeof FeedModule>('../../../src/core/feed.ts', (original) => ({
    Feed: class extends original.Feed {
      #reads = 0

      override async page(after: number): Promise<Page | null> {
        this.#reads++
        try {
          return await super.page(after)
        } finally {
          this.#reads--
        }
      }

      override wake(wake: Wake): void {
        if (this.#reads === 0) super.wake(wake)
      }
    },
  }))
}

function withStaleReads(): Promise<typeof Hub> {
  return mutated<typeof FeedModule>('../../../src/core/feed.ts', (original) => ({
    Feed: class extends original.Feed {
      readonly #running = new Map<number, Promise<Page | null>>()

      override page(after: number): Promise<Page | null> {
        const running = this.#running.get(after)
        if (running !== undefined) return running
        const page = super.page(after).finally(() => this.#running.delete(after))
        this.#running.set(after, page)
        return page
      }
    },
  }))
}
