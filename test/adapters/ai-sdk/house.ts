import { onTestFinished } from 'vitest'
import { createAgent, type Run } from '../../../src/agent/index.ts'
import { createClient } from '../../../src/client/create-client.ts'
import {
  SessionChatTransport,
  type SessionChatTransportOptions,
} from '../../../src/adapters/ai-sdk/index.ts'
import { Socket } from '../../react/support/socket.ts'
import { useLine, type Line } from '../../support/line.ts'
import { API_KEY } from '../../support/server-process.ts'

export interface House extends Line {
  /** The transport of another page, with a connection of its own. */
  transport(options?: Partial<SessionChatTransportOptions>): SessionChatTransport
  /** Answers all that is sent to a session, until the test ends. */
  agent(id: string, act: (run: Run) => unknown): void
}

/** For the tests of a file. */
export function useHouse(): House {
  const line = useLine('chat')
  return Object.assign<Line, Omit<House, keyof Line>>(line, {
    transport(options = {}) {
      const client = createClient({
        url: line.url,
        token: () => line.token(),
        WebSocket: Socket,
        // Each page has a storage of its own: they are other devices.
        storage: { local: null, tab: null },
      })
      const transport = new SessionChatTransport({ ...options, client })
      onTestFinished(() => {
        transport.close()
        client.close()
      })
      return transport
    },
    agent(id, act) {
      const agent = createAgent({ url: line.server.url, apiKey: API_KEY, socket: false })
      const served = agent.session(id).serve({ agent: 'tester' }, act)
      onTestFinished(async () => {
        await agent.close()
        await served
      })
    },
  })
}

/** Holds an agent where it is until a test lets it go on. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>()
  /** Resolves when the gate is open. */
  readonly opened = this.#opened.promise

  open(): void {
    this.#opened.resolve()
  }
}

export const WORDS = Array.from({ length: 60 }, (_, n) => `word-${n} 👀`)
export const TEXT = WORDS.join(' ')

/** A text as the AI SDK streams it; each word comes when `next` says so. */
export async function* uiText(next: (index: number) => Promise<unknown>): AsyncGenerator<object> {
  yield { type: 'start' }
  yield { type: 'start-step' }
  yield { type: 'text-start', id: '0' }
  for (const [index, word] of WORDS.entries()) {
    await next(index)
    yield { type: 'text-delta', id: '0', delta: index === 0 ? word : ` ${word}` }
  }
  yield { type: 'text-end', id: '0' }
  yield { type: 'finish-step' }
  yield { type: 'finish', finishReason: 'stop' }
}
