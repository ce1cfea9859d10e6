import type { Script } from './scripts.ts'

/** How the reading parts of the store ask Redis. */
export interface Looker {
  /** One call may name the keys of one bucket only. */
  readonly clustered: boolean
  readonly look: (
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ) => Promise<unknown>
}
