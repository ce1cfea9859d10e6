import type { Inputs } from '../../src/core/inputs.ts'
import type { Runs } from '../../src/core/runs.ts'
import { FIELD } from '../../src/core/record.ts'
import type { SimNode } from '../support/sim-node.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import { BY, drafted, SESSION, World } from './world.ts'

export const ADA = { subject: 'ada' }

/** A node with a session, and its runs as an agent and a person use them. */
export async function open(world = new World(), node: SimNode = world.node()) {
  await world.session()
  return { world, node, clock: world.clock, ...agentAt(node), ...told(world) }
}

/** What an agent that holds a run does at a node. */
export function agentAt({ runs }: { readonly runs: Runs }) {
  const held = (epoch: number, run: string) => ({ session: SESSION, by: BY, claim: { run, epoch } })
  return {
    runs,
    start: (change: Partial<Parameters<Runs['start']>[0]> = {}) =>
      runs.start({ session: SESSION, by: BY, run: 'r1', ...change }),
    adopt: (producer?: string, run = 'r1') =>
      runs.adopt({ session: SESSION, by: BY, run, ...(producer !== undefined && { producer }) }),
    append: (drafts: ReturnType<typeof drafted>[], epoch = 1, run = 'r1') =>
      runs.append({ ...held(epoch, run), drafts }),
    beat: (epoch = 1, run = 'r1') => runs.heartbeat(held(epoch, run)),
    report: (report: Parameters<Runs['report']>[1], epoch = 1, run = 'r1') =>
      runs.report(held(epoch, run), report),
    suspend: (epoch = 1, run = 'r1') => runs.suspend(held(epoch, run)),
    resume: (epoch = 1, run = 'r1') => runs.resume(held(epoch, run)),
    finish: (output?: unknown, epoch = 1, run = 'r1') =>
      runs.finish(held(epoch, run), {
        status: 'finished',
        ...(output !== undefined && { rawOutput: JSON.stringify(output) }),
      }),
    fail: (message: string, epoch = 1, run = 'r1') =>
      runs.finish(held(epoch, run), { status: 'failed', error: { message } }),
    cancel: (reason?: string, run = 'r1') =>
      runs.cancel({ session: SESSION, by: ADA, run, ...(reason !== undefined && { reason }) }),
  }
}

/** What a person sends to agents at a node. */
export const sendAt =
  ({ inputs }: { readonly inputs: Inputs }) =>
  (change: Partial<Parameters<Inputs['receive']>[0]> = {}) =>
    inputs.receive({
      session: SESSION,
      by: ADA,
      input: 'i1',
      mode: 'queue',
      rawParts: null,
      rawData: null,
      ...change,
    })

/** What the log tells. */
function told(world: World) {
  return {
    /** Each event as a word or two: its type, and what it says of a status. */
    story: async (): Promise<string[]> => (await world.log()).slice(1).map(wordOf),
    status: async (run = 'r1'): Promise<string | null> => world.field(FIELD.run(run)),
    last: async (type: string): Promise<WireEvent | undefined> =>
      (await world.log()).findLast((event) => event.type === type),
    /** As a question leaves it. */
    ask: (question: string, run = 'r1') =>
      world.store.commit({
        session: SESSION,
        writes: [
          { field: FIELD.runQuestions(run), value: JSON.stringify([question]) },
          { field: FIELD.run(run), value: '1 waiting' },
        ],
        deadlines: [{ deadline: `run:${run}`, inMs: null }],
      }),
  }
}

export function wordOf({ type, data }: WireEvent): string {
  const { status, reason } = data as { status?: string; reason?: string }
  return [type, status ?? reason ?? ''].join(' ').trim()
}

export const begun = (message: string, id?: string) =>
  drafted('message.started', { message, role: 'assistant' }, id)
export const delta = (message: string, text = 'x', id?: string) =>
  drafted('message.delta', { message, text }, id)
export const done = (message: string) => drafted('message.completed', { message })
export const spoken = (message: string) =>
  drafted('message.completed', { message, role: 'assistant', parts: [] })
