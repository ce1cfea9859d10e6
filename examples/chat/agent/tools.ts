// The tools of the agent: two that only look, and one that spends money.
import { createHash } from 'node:crypto'
import { tool } from 'ai'
import type { Run } from 'heldline/agent'
import * as z from 'zod'

/** @param paceMs how long a look takes; 0 in tests that are in a hurry */
export function toolsOf(run: Run, paceMs: number) {
  return {
    timetable: tool({
      description: 'Ferries between two towns in the next days',
      inputSchema: z.object({ from: z.string(), to: z.string(), days: z.number() }),
      execute: async ({ from, to }) => {
        await pause(paceMs * 2, run.signal)
        return { from, to, crossings: CROSSINGS }
      },
    }),
    weather: tool({
      description: 'Wind and waves on a sea in the next days',
      inputSchema: z.object({ sea: z.string(), days: z.number() }),
      execute: async ({ sea }) => {
        await pause(paceMs * 3, run.signal)
        return { sea, wind: [7, 4, 10], unit: 'Bft' }
      },
    }),
    book_ferry: tool({
      description: 'Books cabins and pays for them. Asks a person first.',
      inputSchema: z.object({ cabins: z.number(), price: z.number(), currency: z.string() }),
      execute: (order) => book(run, order, paceMs),
    }),
  }
}

interface Order {
  readonly cabins: number
  readonly price: number
  readonly currency: string
}

/** Whoever is there answers, from any device, also days later and to another process; then it is paid once. */
export async function book(run: Run, order: Order, paceMs: number): Promise<object> {
  const allowed = await run.ask({
    // The same question for every process of the run; a yes to one order is none to another.
    question: `${run.id}.book.${digestOf(order)}`,
    prompt: `Book ${order.cabins} cabins for ${order.price} ${order.currency}?`,
    schema: { type: 'boolean' },
    data: { tool: 'book_ferry', order },
  })
  if (allowed !== true) return { refused: true }
  return run.effect({ tool: 'book_ferry', args: order }, async () => {
    await pause(paceMs, run.signal)
    return { booked: true, reference: 'KEL-GOT-1845' }
  })
}

function digestOf({ cabins, price, currency }: Order): string {
  const text = JSON.stringify([cabins, price, currency])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

const CROSSINGS = [
  { leaves: 'Wed 09:00', cabins: 0 },
  { leaves: 'Thu 18:45', cabins: 2 },
  { leaves: 'Fri 18:45', cabins: 11 },
]

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer)
      reject(new Error('the run is over'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', leave)
      resolve()
    }, ms)
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
  })
}
