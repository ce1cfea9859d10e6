import { HeldlineError } from '../../../src/protocol/errors.ts'
import type { FakeRandom } from '../../support/fake-random.ts'
import type { SimNode } from '../../support/sim-node.ts'
import { slowed } from '../../support/slowed-store.ts'
import type { World } from '../world.ts'

/** Two nodes at one store, each of whose answers takes a while. */
export function twoNodes(world: World, random: FakeRandom): readonly [SimNode, SimNode] {
  const store = slowed(world.store, random)
  return [world.node({ store }), world.node({ store })]
}

/** Does one thing after the other, without waiting for what came before; after one that `waits`, all has come to its end. */
export async function carryOut<Step extends { readonly waits: boolean }>(
  steps: readonly Step[],
  act: (step: Step) => Promise<unknown>,
): Promise<void> {
  let under: Promise<unknown>[] = []
  for (const step of steps) {
    under.push(act(step))
    if (!step.waits) continue
    await Promise.all(under)
    under = []
  }
  await Promise.all(under)
}

/** For what any schedule may be refused; everything else is thrown on. */
export function expectedOnly(codes: ReadonlySet<string>): (error: unknown) => void {
  return (error) => {
    if (error instanceof HeldlineError && codes.has(error.code)) return
    throw error
  }
}
