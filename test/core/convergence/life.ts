import { HeldlineError } from '../../../src/protocol/errors.ts'
import type { WireEvent } from '../../../src/protocol/event.ts'
import type { View } from '../../../src/protocol/fold/view.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { SimClient } from '../../support/sim-client.ts'
import { Cluster } from '../simulation/cluster.ts'
import { fold, picture } from '../talk.ts'
import { BY, grant, NO_LIMITS, refusal, SESSION } from '../world.ts'
import { ACTS, type About, type Act } from './acts.ts'

export type Step =
  | ({ readonly do: 'act'; readonly act: Act; readonly producer: number } & Omit<About, 'subject'>)
  | { readonly do: 'drop'; readonly client: number }
  | { readonly do: 'crash' | 'restart' | 'partition' }
  | { readonly do: 'wait'; readonly ms: number }

export interface Ended {
  /** What each client and each node sees, and what the fold of the log is. */
  readonly seen: ReadonlyMap<string, string>
  readonly truth: string
  readonly view: View
  /** The acts that were allowed. */
  readonly done: readonly Act[]
}

export const CLIENTS = 5
export const PRODUCERS = 3
const SETTLED_MS = 60_000

/** Five clients, three producers and three nodes over links that are slow and break: one life, by the steps that are given. */
export async function live(
  seed: number,
  maxEvents: number | null,
  steps: readonly Step[],
): Promise<Ended> {
  const clock = new FakeClock()
  const random = new FakeRandom(seed)
  const cluster = new Cluster(clock, random)
  const settings = { ...NO_LIMITS, retention: { ...NO_LIMITS.retention, maxEvents } }
  const open = async (): Promise<void> => {
    for (const node of cluster.nodes) {
      const request = { session: SESSION, metadata: {}, settings, by: BY }
      if ((await refusal(node.sessions.open(request))) === null) return
    }
  }
  while (cluster.backend.truth(SESSION) === null) await clock.resolve(open())
  const ports = { clock, nodes: () => cluster.nodes, record: () => undefined }
  const clients = Array.from(
    { length: CLIENTS },
    (_, index) =>
      new SimClient(`c${index}`, SESSION, grant({ subject: `c${index}` }), {
        ...ports,
        random: random.fork(),
      }),
  )
  const done: Act[] = []
  /** Each producer does one thing after the other. */
  const turns = Array.from({ length: PRODUCERS }, () => Promise.resolve())
  const act = async (step: Extract<Step, { do: 'act' }>): Promise<void> => {
    const { nodes } = cluster
    if (nodes.length === 0) return
    try {
      await ACTS[step.act](random.pick(nodes), { ...step, subject: `p${step.producer}` })
      done.push(step.act)
    } catch (error) {
      if (!(error instanceof HeldlineError)) throw error
    }
  }
  for (const step of steps) {
    if (step.do === 'act') {
      const before = turns[step.producer] ?? Promise.resolve()
      turns[step.producer] = before.then(() => act(step))
    } else if (step.do === 'drop') clients[step.client]?.drop()
    else if (step.do === 'wait') await clock.advance(step.ms)
    else cluster[step.do]()
    if (step.do !== 'wait') await clock.advance(random.int(0, 60))
  }
  await clock.resolve(Promise.all(turns))
  await clock.advance(5000)
  cluster.heal()
  await clock.advance(SETTLED_MS)
  const truth = (): View => {
    const log = cluster.backend.truth(SESSION)
    if (log === null) throw new Error('the session is gone')
    return fold(
      log.epoch,
      log.events.map((event) => JSON.parse(event.text) as WireEvent),
    )
  }
  // Something may be on its way at any moment: all must be equal at one of them.
  const equal = (): boolean => clients.every(({ view }) => picture(view) === picture(truth()))
  await clock.runUntil(equal, 10_000)
  const view = truth()
  const seen = new Map(clients.map((client) => [client.name, picture(client.view)]))
  for (const [index, node] of cluster.nodes.entries()) {
    seen.set(`n${index}`, picture(await clock.resolve(node.views.at(SESSION))))
  }
  for (const client of clients) client.stop()
  cluster.close()
  return { seen, truth: picture(view), view, done }
}
