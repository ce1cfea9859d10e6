import { parseArgs } from 'node:util'

export const SCENARIOS = ['B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B9'] as const
export type ScenarioId = (typeof SCENARIOS)[number]

export interface Options {
  /** One short repetition with small sizes: says whether it works, not how fast. */
  readonly quick: boolean
  readonly only: readonly ScenarioId[]
  readonly repetitions: number
  /** The Heldline servers of these scenarios write a CPU profile. */
  readonly profile: readonly ScenarioId[]
  /** Whether the modules of the Centrifuge peer may be fetched, once. */
  readonly fetchPeers: boolean
  readonly peers: boolean
}

export const USAGE = `node bench/run.ts [--quick] [--only B1,B3] [--repetitions 5] [--profile B1] [--no-peers] [--fetch-peers]`

/** @throws Error on what it does not know */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: SCENARIOS.join(',') },
      repetitions: { type: 'string' },
      profile: { type: 'string', default: '' },
      'fetch-peers': { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
    },
  })
  const profile = scenarios(values.profile)
  const only = profile.length > 0 ? profile : scenarios(values.only)
  const repetitions = Number(values.repetitions ?? (values.quick || profile.length > 0 ? 1 : 5))
  if (!Number.isInteger(repetitions) || repetitions < 1) throw new Error('--repetitions: 1 or more')
  return {
    quick: values.quick,
    only,
    repetitions,
    profile,
    fetchPeers: values['fetch-peers'],
    peers: !values['no-peers'],
  }
}

function scenarios(list: string): ScenarioId[] {
  const names = list.split(',').filter((name) => name !== '')
  return names.map((name) => {
    const known = SCENARIOS.find((id) => id === name.toUpperCase())
    if (known === undefined)
      throw new Error(`unknown scenario ${name}; there are ${SCENARIOS.join(', ')}`)
    return known
  })
}
