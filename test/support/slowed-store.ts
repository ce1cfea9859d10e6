import type { Store } from '../../src/core/store.ts'
import type { FakeRandom } from './fake-random.ts'

/** A store each of whose answers takes a while, so that what is under way at once is mixed. */
export function slowed(store: Store, random: FakeRandom): Store {
  const pause = async (): Promise<void> => {
    for (let turns = random.int(0, 8); turns > 0; turns--) await Promise.resolve()
  }
  return new Proxy(store, {
    get(target, key: keyof Store) {
      const value: unknown = target[key]
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        await pause()
        const answer: unknown = await value.apply(target, args)
        await pause()
        return answer
      }
    },
  })
}
