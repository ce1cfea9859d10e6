import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { WireEvent } from '../../src/protocol/event.ts'
import { formatPosition } from '../../src/protocol/position.ts'
import { settle } from './support/fake-clock.ts'
import type { ModelServer } from './support/model-server.ts'
import { makeWorld, type World } from './support/setup.ts'

/**
 * The network and the store do their worst; in the end the client's view is the fold of the log, and no event was told twice.
 */
type Step =
  | { readonly do: 'append'; readonly kind: number; readonly message: number }
  | { readonly do: 'deliver'; readonly count: number }
  | { readonly do: 'drop' | 'double' | 'swap'; readonly at: number }
  | { readonly do: 'cut'; readonly code: number }
  | { readonly do: 'fork' | 'lose' | 'trim'; readonly count: number }
  | { readonly do: 'recreate' | 'heartbeat' | 'goaway' | 'wake' }
  | { readonly do: 'wait'; readonly ms: number }

const small = fc.nat({ max: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      kind: fc.nat({ max: 15 }),
      message: small,
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('deliver' as const), count: small }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('drop' as const, 'double' as const, 'swap' as const),
      at: small,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('cut' as const),
      code: fc.constantFrom(1006, 1012, 4508),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('fork' as const, 'lose' as const, 'trim' as const),
      count: small,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'recreate' as const,
        'heartbeat' as const,
        'goaway' as const,
        'wake' as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 4000 }) }),
  },
)

const EVENTS = [
  (message: string) => ({ type: 'message.started', data: { message, role: 'assistant' } }),
  (message: string) => ({ type: 'message.delta', data: { message, text: 'word ' } }),
  (message: string) => ({
    type: 'message.delta',
    data: { message, add: { type: 'tool', id: 't' } },
  }),
  (message: string) => ({ type: 'message.completed', data: { message } }),
  (message: string) => ({
    type: 'message.completed',
    data: { message, role: 'user', parent: null, parts: [{ type: 'text', text: 'hi' }] },
  }),
  (message: string) => ({ type: 'message.deleted', data: { message } }),
  () => ({ type: 'x.note', data: {} }),
  (run: string) => ({ type: 'run.started', data: { run, epoch: 1 } }),
  (run: string) => ({ type: 'run.status', data: { run, status: 'streaming', step: run } }),
  (run: string) => ({ type: 'run.finished', data: { run, output: run } }),
  (input: string) => ({ type: 'input.received', data: { input, mode: 'queue' } }),
  (input: string) => ({ type: 'input.delivered', data: { input, run: 'r' } }),
  (question: string) => ({ type: 'question.asked', data: { question, prompt: 'Sure?' } }),
  (key: string) => ({ type: 'state.set', data: { key, version: 1, value: [key] } }),
  (key: string) => ({ type: 'state.deleted', data: { key, version: 2 } }),
  (subject: string) => ({ type: 'control.taken', data: { subject, kind: 'human' } }),
]

/** What a network may do to frames; a transport never loses half of a snapshot without ending. */
function isLoose(frame: { readonly type: string } | undefined): boolean {
  return frame?.type === 'events' || frame?.type === 'heartbeat'
}

function disturb(server: ModelServer, what: 'drop' | 'double' | 'swap', at: number): void {
  for (const { queue } of server.openConnections) {
    const frame = queue[at]
    const next = queue[at + 1]
    if (frame === undefined || !isLoose(frame)) continue
    if (what === 'drop') queue.splice(at, 1)
    else if (what === 'double') queue.splice(at, 0, frame)
    else if (next !== undefined && isLoose(next)) queue.splice(at, 2, next, frame)
  }
}

async function take({ server, clock, page }: World, one: Step): Promise<void> {
  const log = server.log('s')
  switch (one.do) {
    case 'append': {
      const make = EVENTS[one.kind] ?? EVENTS[0]
      if (make !== undefined) server.append('s', make(`m${one.message}`))
      return
    }
    case 'deliver':
      for (const connection of server.openConnections) connection.deliver(one.count)
      return settle()
    case 'drop':
    case 'double':
    case 'swap':
      return disturb(server, one.do, one.at)
    case 'cut':
      return server.openConnections.at(0)?.cut(one.code)
    case 'fork':
      return log.fork(one.count, 0)
    case 'lose':
      return log.lose(one.count)
    case 'trim':
      return log.trim(one.count)
    case 'recreate':
      return log.recreate()
    case 'heartbeat':
      return server.heartbeat()
    case 'goaway':
      return server.openConnections.at(0)?.say({ type: 'goaway', reason: 'restart', afterMs: 500 })
    case 'wake':
      return page.tell('wake')
    case 'wait':
      return clock.advance(one.ms)
  }
}

/** Peace: everything is delivered, and heartbeats come as they should. */
async function heal({ server, clock }: World): Promise<void> {
  server.auto = true
  for (const connection of server.openConnections) connection.deliver()
  for (let i = 0; i < 8; i++) {
    server.heartbeat()
    await clock.advance(6000)
  }
}

test('[P-4.3] [P-4.4] [P-4.5] [P-4.10] whatever is lost, doubled or swapped, the view is the fold of the log', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true })),
      async (steps, jitter) => {
        const world = makeWorld()
        const { server } = world
        server.foldAfter = 6
        const client = world.open({ random: () => jitter.next().value ?? 0 })
        const session = client.session('s')
        const told: WireEvent[] = []
        session.on('event', (event) => told.push(event))
        await settle()
        server.auto = false
        for (const one of steps) await take(world, one)
        await heal(world)
        const { view } = server.log('s')
        expect(session.position).toBe(formatPosition(view.position))
        expect([...session.view.messages.values()]).toEqual([...view.messages.values()])
        expect(session.view.rest()).toEqual(view.rest())
        expect(new Set(told.map((event) => event.tag)).size).toBe(told.length)
        client.close()
      },
    ),
    { numRuns: 300 },
  )
}, 60_000)
