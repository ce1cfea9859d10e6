import { onTestFinished } from 'vitest'
import { createClient, type ClientOptions } from '../../../src/client/create-client.ts'
import { useLine, type Line } from '../../support/line.ts'
import { until } from '../../support/until.ts'
import { Socket } from './socket.ts'

/** What went over the sockets of a page. */
export interface Traffic {
  /** How many were opened. */
  readonly sockets: number
  /** The ops of the frames that were sent, in order; but for credentials and pings. */
  readonly ops: readonly string[]
}

export interface Room extends Line {
  /** A socket class that counts. */
  watched(): {
    readonly WebSocket: NonNullable<ClientOptions['WebSocket']>
    readonly traffic: Traffic
  }
  client(options?: Partial<ClientOptions>): ReturnType<typeof createClient>
}

/** For the tests of a file. */
export function useRoom(): Room {
  const line = useLine('react')
  return Object.assign<Line, Omit<Room, keyof Line>>(line, {
    watched,
    client(options = {}) {
      const client = createClient({
        url: line.url,
        token: () => line.token(),
        WebSocket: Socket,
        ...options,
      })
      onTestFinished(() => client.close())
      return client
    },
  })
}

function watched(): ReturnType<Room['watched']> {
  const ops: string[] = []
  let sockets = 0
  class Watched extends Socket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets += 1
    }
    override send(data: string): void {
      const { op } = JSON.parse(data) as { readonly op: string }
      if (op !== 'ping' && op !== 'auth') ops.push(op)
      super.send(data)
    }
  }
  return {
    WebSocket: Watched,
    traffic: {
      get sockets() {
        return sockets
      },
      ops,
    },
  }
}

/** A run of the room, and its epoch. */
export async function startRun(room: Room, id: string, run = 'r1'): Promise<number> {
  return Number((await room.ask('POST', `/sessions/${id}/runs`, { run, agent: 'helper' }))['epoch'])
}

/** An agent that answers each prompt with the same words and a number, for as long as the test lasts. */
export function answering(room: Room, id: string): void {
  let over = false
  let answers = 0
  onTestFinished(() => {
    over = true
  })
  // What was begun is gone on with, however a request fails: each may be sent again.
  const begun = new Map<string, number>()
  const answer = async (input: string, count: number): Promise<void> => {
    const run = `run-of-${input}`
    const start = { run, trigger: input, producer: 'answers' }
    const at = Number((await room.ask('POST', `/sessions/${id}/runs`, start))['epoch'])
    const path = `/sessions/${id}/inputs/${input}/deliver`
    const { parent } = await room.ask('POST', path, { run }, at)
    const parts = [{ type: 'text', text: `Answer ${count}` }]
    const data = { message: `answer-${count}`, role: 'assistant', parts, parent }
    const event = { type: 'message.completed', id: `said-by-${run}`, data }
    await room.ask('POST', `/sessions/${id}/runs/${run}/events`, event, at)
    await room.ask('POST', `/sessions/${id}/runs/${run}/finish`, {}, at)
  }
  const serve = async (): Promise<void> => {
    const { inputs } = await room.ask('GET', `/sessions/${id}/inputs`)
    for (const input of inputs as { readonly id: string }[]) {
      if (!begun.has(input.id)) begun.set(input.id, ++answers)
    }
    for (const [input, count] of begun) {
      await answer(input, count)
      begun.delete(input)
    }
  }
  void until('the test is over', async () => {
    if (!over) await serve().catch(() => undefined)
    return over
  })
}
