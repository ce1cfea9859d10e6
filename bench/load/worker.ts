import { append } from './append.ts'
import { hold, release } from './idle.ts'
import { lateJoin } from './late-join.ts'
import { endTalk, hush, latency, listen, talkOn } from './latency.ts'
import { fallBehind, populate, preload, startRuns } from './preload.ts'
import { pump } from './pump.ts'
import { resume } from './resume.ts'
import { spread } from './spread.ts'
import { storm } from './storm.ts'

/** The load process: does the tasks that the run asks for, one at a time. */
const TASKS = {
  append,
  endTalk,
  fallBehind,
  hold,
  hush,
  lateJoin,
  latency,
  listen,
  populate,
  preload,
  pump,
  release,
  resume,
  spread,
  startRuns,
  storm,
  talkOn,
}

export type Tasks = typeof TASKS
export interface Order {
  readonly task: keyof Tasks
  readonly params: unknown
}
export type Answer = { readonly result: unknown } | { readonly error: string }

process.on('message', (order: Order) => {
  // Each task is given what the caller's types say; the order of a process to its own child needs no second check.
  const task = TASKS[order.task] as (params: unknown) => Promise<unknown>
  task(order.params).then(
    (result) => process.send?.({ result } satisfies Answer),
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      process.send?.({ error: text } satisfies Answer)
    },
  )
})
process.on('disconnect', () => process.exit(0))
