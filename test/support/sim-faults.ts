/** What may go wrong between the nodes and the store. Mutable: a run turns faults on and off. Probabilities are 0 to 1. */
export interface SimFaults {
  /** A call takes up to so long on its way to the store, and up to so long back. */
  storeDelayMs: number
  /** A wake-up takes up to so long: which also puts them out of order. */
  wakeDelayMs: number
  loseWake: number
  doubleWake: number
  /** Arrives without the events that it may carry. */
  bareWake: number
  /** A read is answered `store_unavailable`. */
  failRead: number
  /** A write is refused with `store_unavailable`, without effect. */
  failWrite: number
  /** A write is answered `outcome_unknown`, and had no effect. */
  unknownWithout: number
  /** A write is answered `outcome_unknown`, and had its effect. */
  unknownWith: number
}

/** Delays and disorder, which are no faults: nothing is lost. */
export function calmFaults(): SimFaults {
  return {
    storeDelayMs: 5,
    wakeDelayMs: 10,
    loseWake: 0,
    doubleWake: 0.2,
    bareWake: 0.3,
    failRead: 0,
    failWrite: 0,
    unknownWithout: 0,
    unknownWith: 0,
  }
}

export function roughFaults(): SimFaults {
  return {
    storeDelayMs: 20,
    wakeDelayMs: 60,
    loseWake: 0.25,
    doubleWake: 0.2,
    bareWake: 0.3,
    failRead: 0.05,
    failWrite: 0.05,
    unknownWithout: 0.05,
    unknownWith: 0.05,
  }
}

/** Counts what really happened, so that a run which proved nothing does not look like one that did. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(what: string, count = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + count)
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  addAll(other: Tally): void {
    for (const [what, count] of other.#counts) this.add(what, count)
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
}
