import { startPeers } from '../lib/peers.ts'
import { named, type Context, type Scenario } from '../lib/scenario.ts'
import { startOwn, type ServerProcess, type StoreKind } from '../lib/servers.ts'

const UNIT = 'events/s'
const MANY_BEHIND = 1000
/** An event of the load's as it is stored. */
const STORED_BYTES = 370
const STORES: readonly StoreKind[] = ['sqlite', 'redis']

interface Sizes {
  readonly clients: number
  readonly far: number
  readonly peerClients: number
}

/** Clients that come back and ask for what they missed. */
export const resumes: Scenario = {
  title: 'Resume: many clients a little behind, one client far behind',
  async run(context) {
    const sizes: Sizes = context.quick
      ? { clients: 100, far: 50_000, peerClients: 20 }
      : { clients: 1000, far: 1_000_000, peerClients: 100 }
    for (const store of STORES) await measureStore(context, store, sizes)
    if (context.options.peers) await measurePeers(context, sizes)
    const many = `${sizes.clients} clients × ${MANY_BEHIND}`
    const one = `1 client × ${sizes.far.toLocaleString('en-US')}`
    for (const store of STORES) {
      context.ratio(`Heldline ${store}, ${many}`, `ceiling ${store}, ${many}`, 0.7)
      context.ratio(`Heldline ${store}, ${one}`, `ceiling ${store}, ${one}`, 0.7)
      const peer = `Centrifuge ${store === 'redis' ? 'Redis' : 'memory'}, ${peerName(sizes)}`
      context.ratio(`Heldline ${store}, ${many}`, peer, 2)
      context.ratio(`Heldline ${store}, ${many}`, `NATS JetStream file, ${peerName(sizes)}`, 2)
      context.ratio(
        `Heldline ${store}, ${many}`,
        `Socket.IO Redis Streams, ${peerName(sizes)}`,
        null,
      )
      const grown = `Heldline ${store}, ${one}, memory grown`
      context.limit(grown, context.median(grown), 128, 'MB')
    }
    context.notes.push(
      'Peers: fewer clients, since they are slower; theirs is the time from the connect, Heldline’s from the attach.',
    )
  },
}

const peerName = (sizes: Sizes): string => `${sizes.peerClients} clients × ${MANY_BEHIND}`

async function measureStore(context: Context, store: StoreKind, sizes: Sizes): Promise<void> {
  const { load, redis } = context
  const server = await context.heldline({ store })
  const { target } = server
  const near = await load.run('preload', { target, session: 'near', events: MANY_BEHIND })
  const far = await load.run('preload', { target, session: 'far', events: sizes.far })
  const bare = await startCeilings(context, store, sizes)
  await context.repeat(async () => {
    const many = { clients: sizes.clients, behind: MANY_BEHIND }
    const one = { clients: 1, behind: sizes.far }
    await measure(context, `Heldline ${store}`, server, {
      ...many,
      session: 'near',
      position: near,
    })
    await measure(context, `ceiling ${store}`, bare.near, {
      ...many,
      session: 'near',
      position: ZERO,
    })
    await measure(context, `Heldline ${store}`, server, { ...one, session: 'far', position: far })
    await measure(context, `ceiling ${store}`, bare.far, { ...one, session: 'far', position: ZERO })
  })
  for (const process of [server, bare.near, bare.far]) await process.stop()
  await redis.flush()
}

const ZERO = 'e.0.--------'

interface Resume {
  readonly clients: number
  readonly behind: number
  readonly session: string
  readonly position: string
}

async function measure(
  context: Context,
  side: string,
  { target, pid }: ServerProcess,
  resume: Resume,
): Promise<void> {
  const after = Number(resume.position.split('.').at(-2) ?? 0)
  const pids = [pid, context.redis.pid]
  const done = await context.load.run('resume', {
    target,
    ...resume,
    after,
    pids,
    withinMs: 120_000,
  })
  const { clients, behind } = resume
  const clientsText = clients === 1 ? '1 client' : `${clients} clients`
  const text = `${clientsText} × ${clients === 1 ? behind.toLocaleString('en-US') : behind}`
  context.add(
    `${side}, ${text}`,
    done.eventsPerSecond,
    UNIT,
    named(['server', 'redis'], done.cores),
  )
  if (clients === 1) context.add(`${side}, ${text}, memory grown`, done.grownBytes / 2 ** 20, 'MB')
}

async function startCeilings(
  context: Context,
  store: StoreKind,
  sizes: Sizes,
): Promise<{ readonly near: ServerProcess; readonly far: ServerProcess }> {
  const env = { STORE: store, REDIS_URL: context.redis.url, BYTES: String(STORED_BYTES) }
  const bare = (key: string, events: number): Promise<ServerProcess> =>
    context.keep(
      startOwn('ceilings/range-read.ts', 'bare', { ...env, KEY: key, EVENTS: String(events) }),
    )
  return { near: await bare('near', MANY_BEHIND), far: await bare('far', sizes.far) }
}

async function measurePeers(context: Context, sizes: Sizes): Promise<void> {
  const peers = await startPeers(context)
  let run = 0
  await context.repeat(async () => {
    for (const [name, { target, pid }] of peers) {
      const done = await context.load.run('resume', {
        target,
        session: `resume-${run++}`,
        clients: sizes.peerClients,
        behind: MANY_BEHIND,
        position: null,
        after: 1,
        pids: [pid, context.redis.pid],
        withinMs: 120_000,
      })
      const cores = named(['server', 'redis'], done.cores)
      context.add(`${name}, ${peerName(sizes)}`, done.eventsPerSecond, UNIT, cores)
    }
  })
}
