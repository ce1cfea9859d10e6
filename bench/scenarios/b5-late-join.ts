import { call } from '../load/http.ts'
import type { LateJoinResult } from '../load/late-join.ts'
import { createSession } from '../load/preload.ts'
import { removeFolder, temporaryFolder } from '../lib/processes.ts'
import { type Context, type Scenario } from '../lib/scenario.ts'
import { startOwn, type ServerProcess, type StoreKind } from '../lib/servers.ts'

const TOKEN = 'twenty characters or'
const STORES: readonly StoreKind[] = ['sqlite', 'redis']
const STATES = ['unfinished', 'finished'] as const

/** Somebody opens a session for the first time while, or after, an agent gives a long answer. */
export const lateJoiners: Scenario = {
  title: 'Late joiner of a long answer',
  async run(context) {
    const deltas = context.quick ? 10_000 : 100_000
    for (const store of STORES) await measureStore(context, store, deltas)
    await measureCeiling(context, deltas * TOKEN.length)
    context.notes.push(
      `${deltas.toLocaleString('en-US')} deltas of ${TOKEN.length} characters each. Warm: the node that took them in, one more delta since the last joiner; cold: a node that was just ` +
        'started, its first joiner. Time from the attach to the last piece of the snapshot, on a socket that is open. Peers have no fold: Socket.IO gives a new client nothing of what was before, ' +
        'Centrifuge every delta that its history still has.',
    )
    for (const store of STORES) {
      for (const warmth of ['warm', 'cold']) {
        for (const state of STATES) {
          const what = `Heldline ${store}, ${state}, ${warmth}`
          context.limit(what, context.median(what), state === 'finished' ? 10 : 100, 'ms')
          context.ratio(what, 'ceiling: one GET and bare ws', null)
        }
      }
      for (const state of STATES) {
        const what = `Heldline ${store}, ${state}, messages`
        context.limit(what, context.median(what), 1, 'messages')
      }
    }
  },
}

async function measureStore(context: Context, store: StoreKind, deltas: number): Promise<void> {
  const folder = temporaryFolder('late')
  const start = (): Promise<ServerProcess> => context.heldline({ store, folder })
  let server = await start()
  const session = 'late'
  await createSession(server.port, session)
  const path = `/v1/sessions/${session}/events`
  const append = (body: string): Promise<unknown> => call(server.port, 'POST', path, body)
  await append('{"type":"message.started","data":{"message":"m","role":"assistant"}}')
  const delta = `{"type":"message.delta","data":{"message":"m","text":"${TOKEN}"}}`
  const batch = `[${Array.from({ length: 500 }, () => delta).join(',')}]`
  for (let sent = 0; sent < deltas; sent += 500) await append(batch)
  let sent = deltas
  for (const state of STATES) {
    if (state === 'finished') await append('{"type":"message.completed","data":{"message":"m"}}')
    const join = async (warmth: string): Promise<LateJoinResult> => {
      const { target } = server
      const textLength = sent * TOKEN.length
      const done = await context.load.run('lateJoin', { target, session, textLength })
      context.add(`Heldline ${store}, ${state}, ${warmth}`, done.ms, 'ms')
      return done
    }
    await context.repeat(async () => {
      if (state === 'unfinished') {
        await append(delta)
        sent++
      }
      const { messages } = await join('warm')
      context.add(`Heldline ${store}, ${state}, messages`, messages, 'messages')
    })
    await context.repeat(async () => {
      await server.stop()
      server = await start()
      await join('cold')
    })
  }
  await server.stop()
  removeFolder(folder)
}

async function measureCeiling(context: Context, textLength: number): Promise<void> {
  const env = { REDIS_URL: context.redis.url, LENGTH: String(textLength) }
  const { target } = await context.keep(startOwn('ceilings/folded-text.ts', 'bare', env))
  await context.repeat(async () => {
    const done = await context.load.run('lateJoin', { target, session: 'late', textLength })
    context.add('ceiling: one GET and bare ws', done.ms, 'ms')
  })
}
