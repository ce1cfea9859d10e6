import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
    }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface Hot {
  readonly where: string
  /** Of the time that the thread was not idle. */
  readonly fraction: number
}

const TOP = 14
const IDLE = new Set(['(idle)', '(program)', '(root)'])

/** The functions in which the busiest thread of each profile was itself, most first. */
export function topOfProfiles(
  folder: string,
): { readonly file: string; readonly top: readonly Hot[] }[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'))
  return files
    .map((file) => ({
      file,
      ...selfTimes(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile),
    }))
    .filter(({ busyMs }) => busyMs > 200)
    .sort((a, b) => b.busyMs - a.busyMs)
    .map(({ file, top }) => ({ file, top }))
}

function selfTimes(profile: CpuProfile): { readonly busyMs: number; readonly top: readonly Hot[] } {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  let busy = 0
  for (const [i, id] of profile.samples.entries()) {
    const name = names.get(id) ?? '?'
    const delta = profile.timeDeltas[i] ?? 0
    if (IDLE.has(name)) continue
    busy += delta
    times.set(name, (times.get(name) ?? 0) + delta)
  }
  const sorted = [...times].sort(([, a], [, b]) => b - a).slice(0, TOP)
  return {
    busyMs: busy / 1000,
    top: sorted.map(([where, time]) => ({ where, fraction: time / busy })),
  }
}

function nameOf({
  functionName,
  url,
  lineNumber,
}: CpuProfile['nodes'][number]['callFrame']): string {
  if (functionName.startsWith('(') && url === '') return functionName
  const file = url.replace(/^.*\/(node_modules|src)\//, '$1/').replace(/^node:/, 'node:')
  return `${functionName === '' ? '(anonymous)' : functionName} ${file}${file === '' ? '' : `:${lineNumber + 1}`}`
}
