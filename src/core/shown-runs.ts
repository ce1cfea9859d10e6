import { isOver, type Run } from '../protocol/fold/fold-run.ts'
import type { View } from '../protocol/fold/view.ts'

/** A run as the view has it, and the messages that it has open. */
export interface ShownRun extends Run {
  readonly messages: readonly string[]
}

/** Which runs are asked for. */
export type WhichRuns = 'live' | 'over' | 'all'

/** In the order in which they were started. [P-10.9] */
export function shownRuns(view: View, which: WhichRuns): readonly ShownRun[] {
  const runs = [...view.runs.values()].filter(
    ({ status }) => which === 'all' || isOver(status) === (which === 'over'),
  )
  return withMessages(view, runs)
}

/** `null`: the view does not hold it, or not any more. */
export function shownRun(view: View, id: string): ShownRun | null {
  const found = view.runs.get(id)
  const [run = null] = withMessages(view, found === undefined ? [] : [found])
  return run
}

function withMessages(view: View, runs: readonly Run[]): readonly ShownRun[] {
  const open = new Map<string, string[]>(runs.map(({ id }) => [id, []]))
  for (const { id, run, status } of view.messages.values()) {
    if (run !== undefined && status === 'open') open.get(run)?.push(id)
  }
  return runs.map((run) => ({ ...run, messages: open.get(run.id) ?? [] }))
}
