import type { Clock } from '../sdk/clock.ts'
import { mintId } from '../sdk/mint-id.ts'
import { store, stored, unstore, type Storages } from './storage.ts'

interface TabPorts {
  readonly storages: Storages
  readonly namespace: string
  readonly clock: Clock
}

/**
 * The name of a tab, as a member: the same for as long as it lives, since a reload is no departure. It is stored only while nobody looks: a tab that is
 * duplicated, or opened by this one, begins with a copy of what is stored, and would be the same member, whom the first of the two to leave takes away.
 */
export interface TabName {
  get(): string
  /** The page is shown; or it is hidden, or may be going. */
  shown(shown: boolean): void
}

export function tabName({ storages: { tab }, namespace, clock }: TabPorts): TabName {
  const key = `${namespace}:tab`
  let name: string | null = null
  return {
    get() {
      if (name === null) {
        name = stored(tab, key) ?? `tab-${mintId(clock.now())}`
        unstore(tab, key)
      }
      return name
    },
    shown(shown) {
      if (name === null) return
      if (shown) unstore(tab, key)
      else store(tab, key, name)
    },
  }
}
