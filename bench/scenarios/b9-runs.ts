import { cpuMs } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { named, type Context, type Scenario } from '../lib/scenario.ts'
import type { How } from '../load/append.ts'

const UNIT = 'appends/s'
const STORES = ['sqlite', 'redis'] as const
const WAYS: readonly (readonly [string, How & { readonly kind: 'http' }])[] = [
  ['HTTP single', { kind: 'http', connections: 50, batch: 1 }],
  ['HTTP batches of 50', { kind: 'http', connections: 8, batch: 50 }],
]
const RUN = 'r0'
/** Longer than the scenario: nothing of a run falls due meanwhile. */
const LEASE_MS = 60 * 60_000
const RUNS_A_SESSION = 100

/** What it costs to append in the name of a run, by the epoch that holds it; and what runs cost that only live. */
export const runs: Scenario = {
  title: 'Runs: fenced appends, and leases',
  async run(context) {
    await measureAppends(context)
    for (const store of STORES) await measureLeases(context, store)
  },
}

async function measureAppends(context: Context): Promise<void> {
  const servers = {
    sqlite: await context.heldline({ store: 'sqlite' }),
    redis: await context.heldline({ store: 'redis' }),
  }
  let turn = 0
  await context.repeat(async () => {
    for (const store of STORES) {
      const { port, target, pid } = servers[store]
      for (const [way, how] of WAYS) {
        for (const fenced of [false, true]) {
          const prefix = `runs-${turn++}-`
          const start = { port, prefix, sessions: 1, runsEach: 1, leaseMs: LEASE_MS }
          await context.load.run('startRuns', start)
          const done = await context.load.run('append', {
            ...context.windows,
            target,
            session: `${prefix}0`,
            how: fenced ? { ...how, run: RUN } : how,
            readers: 0,
            pids: [pid],
          })
          const what = nameOf(store, way, fenced)
          context.add(what, done.appendsPerSecond, UNIT, named(['server'], done.cores))
        }
      }
    }
    await context.redis.flush()
  })
  for (const store of STORES) {
    for (const [way] of WAYS) {
      context.ratio(nameOf(store, way, true), nameOf(store, way, false), 0.85)
    }
  }
  await Promise.all(Object.values(servers).map((server) => server.stop()))
}

function nameOf(store: string, way: string, fenced: boolean): string {
  return `Heldline ${store}, ${way}, ${fenced ? 'in a run' : 'plain'}`
}

async function measureLeases(context: Context, store: 'sqlite' | 'redis'): Promise<void> {
  const leases = context.quick ? 1000 : 10_000
  const server = await context.heldline({ store })
  const { port, pid } = server
  const sessions = leases / RUNS_A_SESSION
  const order = { port, prefix: 'lease-', sessions, runsEach: RUNS_A_SESSION, leaseMs: LEASE_MS }
  await context.load.run('startRuns', order)
  // What starting them left to do is not what keeping them costs.
  await sleep(2000)
  const ms = context.quick ? 3000 : 10_000
  const before = cpuMs(pid)
  await sleep(ms)
  const percent = ((cpuMs(pid) - before) / ms) * 100
  const what = `Heldline ${store}, ${leases.toLocaleString('en-US')} live leases, server CPU`
  context.add(what, percent, '% of a core')
  context.limit(what, percent, 3, '% of a core')
  await server.stop()
  await context.redis.flush()
}
