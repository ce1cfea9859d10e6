import { AbstractChat, type ChatStatus, type ChatTransport, type UIMessage } from 'ai'
import { createAgent, type Agent, type Run } from '../../../src/agent/index.ts'
import { until } from '../../support/until.ts'

/** What `useChat` keeps in React, without React; of AI SDK 7 as of 6. */
export class State<Message extends object = UIMessage> {
  status: ChatStatus = 'ready'
  error: Error | undefined
  messages: Message[]

  constructor(messages: Message[]) {
    this.messages = messages
  }

  pushMessage = (message: Message): void => {
    this.messages = [...this.messages, message]
  }

  popMessage = (): void => {
    this.messages = this.messages.slice(0, -1)
  }

  replaceMessage = (index: number, message: Message): void => {
    this.messages = this.messages.with(index, structuredClone(message))
  }

  snapshot = <T>(value: T): T => structuredClone(value)
}

/** The AI SDK's own chat, as `useChat` drives it. */
export class Chat extends AbstractChat<UIMessage> {
  readonly errors: Error[] = []

  /** @param automatic whether it sends by itself what people did with an answer's tools */
  constructor(
    id: string,
    transport: ChatTransport<UIMessage>,
    messages: UIMessage[] = [],
    automatic?: (options: { messages: UIMessage[] }) => boolean,
  ) {
    const errors: Error[] = []
    super({
      id,
      transport,
      state: new State(messages),
      onError: (error) => errors.push(error),
      ...(automatic && { sendAutomaticallyWhen: automatic }),
    })
    this.errors = errors
  }

  /** Its messages as `role: text`. */
  get lines(): readonly string[] {
    return this.messages.map((message) => `${message.role}: ${textOf(message)}`)
  }

  get text(): string {
    return textOf(this.messages.at(-1))
  }
}

export function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? []).map((part) => ('text' in part ? part.text : '')).join('')
}

/** Words that an agent says one by one, each when the test lets it. */
export class Pace {
  readonly words: readonly string[]
  #allowed = 0
  said = 0

  constructor(text: string) {
    this.words = text.split(/(?<= )/)
  }

  get text(): string {
    return this.words.join('')
  }

  /** What has been said after so many words. */
  upTo(count: number): string {
    return this.words.slice(0, count).join('')
  }

  allow(count: number): void {
    this.#allowed = count
  }

  allowAll(): void {
    this.allow(this.words.length)
  }

  async say(run: Run): Promise<void> {
    for (const [index, word] of this.words.entries()) {
      await until('the next word may be said', () => this.#allowed > index || run.signal.aborted)
      if (run.signal.aborted) return
      await run.text(word)
      this.said = index + 1
    }
  }
}

export interface Serving {
  /** The runs that began, by their triggers. */
  readonly runs: readonly Run[]
  readonly errors: readonly unknown[]
  stop(): Promise<void>
}

/** An agent that answers whatever waits in a session, until it is stopped. */
export async function serveSession(
  url: string,
  apiKey: string,
  session: string,
  act: (run: Run, turn: number) => unknown,
): Promise<Serving> {
  const agent: Agent = createAgent({ url, apiKey })
  const end = new AbortController()
  const runs: Run[] = []
  const errors: unknown[] = []
  const served = agent.session(session)
  await served.open()
  const serving = served.serve(
    { agent: 'answerer', signal: end.signal, onError: (error) => errors.push(error) },
    (run) => act(run, runs.push(run)),
  )
  return {
    runs,
    errors,
    stop: async () => {
      end.abort()
      // What it was at is over with it.
      await agent.close()
      await serving
    },
  }
}

export interface Api {
  ask(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>>
}

/** The API of a server, with a key. */
export function apiOf(url: string, key: string): Api {
  return {
    ask: async (method, path, body) => {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const answer = (text === '' ? {} : JSON.parse(text)) as Readonly<Record<string, unknown>>
      if (!response.ok) throw new Error(`${method} ${path}: ${text}`)
      return answer
    },
  }
}
