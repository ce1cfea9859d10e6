import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import type { Context } from '../lib/scenario.ts'
import type { Target } from '../load/target.ts'
import type { Place } from './b8-nodes.ts'

const SESSIONS = 200
const PER_SECOND_EACH = 20
/** Which of the sessions are read at the node beside: none, one in ten, all. */
const SERVED = [
  { name: 'serves none of the sessions', every: 0 },
  { name: 'serves one in ten', every: 10 },
  { name: 'serves all', every: 1 },
] as const

/** What a node spends while another takes appends: only for those sessions that somebody follows here. */
export async function measureWakes(context: Context, place: Place): Promise<void> {
  const busy = await context.heldline({ store: 'redis', redis: place })
  const beside = await context.heldline({ store: 'redis', redis: place })
  const ms = context.quick ? 2000 : 8000
  let run = 0
  const whatOf = (name: string): string => `${place.name}, a node that ${name}, CPU`
  const silent = `${place.name}, a node where nothing happens, CPU`
  await context.repeat(async () => {
    await sleep(1000)
    const before = cpuMs(beside.pid)
    await sleep(ms)
    context.add(silent, ((cpuMs(beside.pid) - before) / ms) * 100, '% of a core')
    for (const { name, every } of SERVED) {
      const done = await context.load.run('latency', {
        target: readAt(busy.port, beside.port, every),
        prefix: `wake${run++}-`,
        sessions: SESSIONS,
        socketsEach: 1,
        perSecondEach: PER_SECOND_EACH,
        warmMs: 1500,
        windowMs: ms,
        pids: [beside.pid, busy.pid],
      })
      const [used = 0, taking = 0, load = 0] = done.cores
      const cores = { beside: used, 'the node that takes them': taking, load }
      context.add(whatOf(name), used * 100, '% of a core', cores)
      context.add(
        `${whatOf(name).replace(/, CPU$/, '')}, deliveries`,
        done.deliveriesPerSecond,
        'a second',
      )
    }
    await place.flush()
  })
  await busy.stop()
  await beside.stop()
  const none = context.median(whatOf(SERVED[0].name))
  const base = context.median(silent)
  if (none === null || base === null) return
  const offered = `${(SESSIONS * PER_SECOND_EACH).toLocaleString('en-US')} appends/s of others`
  const what = `${place.name}, for ${offered}, none of them served`
  context.limit(what, Math.max(0, none - base), 0.5, '% of a core')
}

/** Sessions in turns: every so many is read beside, the others where they are published. */
function readAt(busy: number, beside: number, every: number): Target[] {
  return Array.from({ length: Math.max(1, every) }, (_, i) => {
    return { dialect: 'heldline', port: every > 0 && i === 0 ? beside : busy, publishPort: busy }
  })
}
