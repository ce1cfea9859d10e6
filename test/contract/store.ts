import { afterAll, beforeAll, describe } from 'vitest'
import type { Signals } from '../../src/core/signals.ts'
import type { Store } from '../../src/core/store.ts'
import { describeCommits } from './store/commits.ts'
import { describeConcurrency } from './store/concurrency.ts'
import { describeDeadlines } from './store/deadlines.ts'
import { describeDedupe } from './store/dedupe.ts'
import { describeGuards } from './store/guards.ts'
import { describeLife } from './store/life.ts'
import { describeLists } from './store/lists.ts'
import { describeModel } from './store/model.ts'
import { describeProducers } from './store/producers.ts'
import { describeReads } from './store/reads.ts'
import { describeRemoval } from './store/removal.ts'
import { describeTrims } from './store/trims.ts'
import { describeWakes } from './store/wakes.ts'

/** A store and its signals, opened together. */
export interface OpenedStore {
  readonly store: Store
  readonly signals: Signals
  /** Moves the store's clock, back too; absent where the store goes by a clock that tests cannot move. */
  readonly advance?: (byMs: number) => void
  /** Closes it and opens the same data once more; absent where nothing outlives the store. */
  readonly reopen?: () => Promise<OpenedStore>
  /** Closes the store and the signals, and throws the data away. Idempotent. */
  close(): Promise<void>
}

/** Opens a store that holds nothing, with data of its own. */
export type OpenStore = () => Promise<OpenedStore>

/** Gives the store that the tests of one suite share: they keep apart by sessions. */
export type Opened = () => OpenedStore

/**
 * The store port's contract as code: every sentence of `src/core/store.ts` is a test here, for any store.
 * It runs on memory, the executable specification, first.
 */
export function describeStoreContract(name: string, open: OpenStore): void {
  describe(`store contract: ${name}`, () => {
    let opened: OpenedStore | undefined
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(async () => {
      await opened?.close()
    })
    const shared: Opened = () => {
      if (opened === undefined) throw new Error('the store has not been opened')
      return opened
    }

    describeCommits(shared)
    describeProducers(shared)
    describeDedupe(shared)
    describeGuards(shared)
    describeConcurrency(shared)
    describeReads(shared)
    describeLists(shared)
    describeDeadlines(shared)
    describeTrims(shared)
    describeRemoval(shared)
    describeWakes(shared)
    describeLife(open)
    describeModel(open)
  })
}
