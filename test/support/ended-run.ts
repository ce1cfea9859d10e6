import { run } from '../../src/core/commit.ts'
import type { Random } from '../../src/core/random.ts'
import type { Store } from '../../src/core/store.ts'
import { finishRun, type Ending } from '../../src/core/transitions/run-end.ts'
import { startRun } from '../../src/core/transitions/run-start.ts'
import type { SessionId } from '../../src/protocol/ids.ts'

export interface EndedRun {
  readonly name: string
  /** The subjects that its result is for. */
  readonly deliverTo: readonly string[]
  readonly deliverAfterMs?: number
  readonly ending?: Exclude<Ending, { status: 'cancelled' }>
}

/** Digits and spaces that would not survive being parsed. */
export const OUTPUT = '{"answer": 42.00}'
const BY = { subject: 'key:agent' }

/** A run from its start to its end, as the agent's requests make it. */
export async function endRun(
  store: Store,
  random: Random,
  session: SessionId,
  { name, deliverTo, deliverAfterMs = 60_000, ending }: EndedRun,
): Promise<void> {
  const info = { agent: null, trigger: null, producer: null, leaseMs: 25_000 }
  const start = { session, run: name, info: { ...info, deliverTo, deliverAfterMs }, by: BY }
  const { started } = await run(store, startRun({ ...start, maxLive: 100 }, random))
  const claim = { run: name, epoch: started.epoch ?? 0 }
  const finished = ending ?? { status: 'finished', rawOutput: OUTPUT }
  await run(store, finishRun({ session, by: BY, claim }, finished, random))
}
