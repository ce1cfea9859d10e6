import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface Node {
  readonly id: number
  readonly callFrame: CallFrame
  readonly children?: readonly number[]
}

interface CpuProfile {
  readonly nodes: readonly Node[]
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
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map<number, Node>()
  for (const node of profile.nodes) for (const id of node.children ?? []) parents.set(id, node)
  const names = new Map([...nodes].map(([id, node]) => [id, describe(node, parents)]))
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

/** What the runtime does is told with who made it do so. */
function describe(node: Node, parents: ReadonlyMap<number, Node>): string {
  const name = nameOf(node.callFrame)
  if (isOfSomebody(node.callFrame) || name.startsWith('(')) return name
  let caller = parents.get(node.id)
  while (caller !== undefined && !isOfSomebody(caller.callFrame)) caller = parents.get(caller.id)
  return caller === undefined ? name : `${name} for ${nameOf(caller.callFrame)}`
}

const isOfSomebody = ({ url }: CallFrame): boolean => /\/(node_modules|src)\//.test(url)

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  if (functionName.startsWith('(') && url === '') return functionName
  const file = url.replace(/^.*\/(node_modules|src)\//, '$1/')
  const name = functionName === '' ? '(anonymous)' : functionName
  return file === '' ? name : `${name} ${file}:${lineNumber + 1}`
}
