import { Cluster, type Redis } from 'ioredis'
import type { Log } from '../../core/log.ts'
import { COMMAND_TIMEOUT_MS, type Client } from './connect.ts'
import { failureOf, NotSent, Refusal, Unanswered, type Failure } from './failures.ts'
import { revive } from './revive.ts'
import type { Script } from './scripts.ts'
import { Watchdog } from './watchdog.ts'

export type Command = readonly [name: string, ...args: (string | number)[]]
/** The answer to a command: what Redis said, or how it failed. */
export type Reply = { readonly value: unknown } | { readonly failure: Failure }

/**
 * One way to Redis: one connection, or one to each primary of a Cluster. Sends once, never on its own again (but where a Cluster
 * points to another node), and always settles.
 */
export class Link {
  readonly client: Client
  readonly #log: Log
  readonly #name: string
  readonly #watchdog: Watchdog
  readonly #pending = new Set<(failure: Failure) => void>()
  readonly #listeners = new Set<() => void>()
  readonly #waiting = new Set<() => void>()
  #wasReady = false
  #closed = false

  constructor(client: Client, name: string, log: Log) {
    this.client = client
    this.#name = name
    this.#log = log
    this.#watchdog = new Watchdog(() => nodesOf(client))
    client.on('error', (error: Error) => this.#note(error))
    client.on('node error', (error: Error) => this.#note(error))
    client.on('ready', () => this.#ready())
    // A node of a Cluster that is back, or new, may have another history than the one that was lost.
    client.on('+node', (node: Redis) => {
      node.once('ready', () => this.#wasReady && this.#tell())
    })
    client.on('close', () => this.#lost())
    revive(
      client,
      () => this.#closed,
      (error) => this.#note(error),
    )
  }

  get ready(): boolean {
    return this.client.status === 'ready'
  }

  get closed(): boolean {
    return this.#closed
  }

  async connect(): Promise<void> {
    await this.client.connect()
  }

  /** `listener` is called whenever a connection that was lost is back. */
  onBack(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Resolves when the connection is up, or closed for good, or the time is over. */
  async whenReady(timeoutMs: number): Promise<void> {
    if (this.ready || this.#closed || timeoutMs <= 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, timeoutMs)
    this.#waiting.add(resolve)
    await promise
    clearTimeout(timer)
    this.#waiting.delete(resolve)
  }

  /** Sends commands in one go, and gives an answer for each, in order. On a Cluster the keys of all belong to one slot. */
  async send(commands: readonly Command[], timeoutMs = COMMAND_TIMEOUT_MS): Promise<Reply[]> {
    if (!this.ready || this.#closed) {
      return commands.map(() => ({ failure: new NotSent('the connection is not up') }))
    }
    try {
      return await this.#race(this.#exchange(commands), timeoutMs)
    } catch (error) {
      const failure = error instanceof Unanswered ? error : failureOf(error)
      return commands.map(() => ({ failure }))
    }
  }

  /** Runs a script by its digest, and by its text where the server does not know it yet. */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const first = await this.one(['evalsha', script.sha, keys.length, ...keys, ...args])
    const reply =
      'failure' in first && first.failure instanceof Refusal && first.failure.code === 'NOSCRIPT'
        ? await this.one(['eval', script.text, keys.length, ...keys, ...args])
        : first
    if ('failure' in reply) throw reply.failure
    return reply.value
  }

  /** The answers of every primary to a command. */
  async each(command: Command, timeoutMs = COMMAND_TIMEOUT_MS): Promise<Reply[]> {
    if (!this.ready) return [{ failure: new NotSent('the connection is not up') }]
    const [name, ...args] = command
    const asked = nodesOf(this.client).map(async (node) => {
      try {
        return [await this.#race(replyOf(node.call(name, args)), timeoutMs)]
      } catch (error) {
        return [{ failure: failureOf(error) }]
      }
    })
    return (await Promise.all(asked)).flat()
  }

  async one(command: Command, timeoutMs?: number): Promise<Reply> {
    const [reply] = await this.send([command], timeoutMs)
    return reply ?? { failure: new Unanswered('no reply') }
  }

  /** Something took too long: a connection that has been silent for a while is cut, and made anew. */
  suspect(): void {
    this.#watchdog.cutSilent()
  }

  /** Asks the Cluster again which node has which slot. */
  refresh(): void {
    if (this.client instanceof Cluster) this.client.refreshSlotsCache()
  }

  /** Gives up what is unanswered, and connects anew. */
  reset(): void {
    for (const node of nodesOf(this.client)) node.stream?.destroy()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#watchdog.close()
    this.client.disconnect()
    this.#lost()
    for (const go of this.#waiting) go()
  }

  #exchange(commands: readonly Command[]): Promise<Reply[]> {
    const { client } = this
    return client instanceof Cluster ? pipelined(client, commands) : corked(client, commands)
  }

  /** Settles in time, also where ioredis would not: after a lost connection, or on one that swallows everything. */
  async #race<Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> {
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Unanswered('no answer in time')), timeoutMs)
    this.#pending.add(reject)
    try {
      return await Promise.race([work, promise])
    } finally {
      clearTimeout(timer)
      this.#pending.delete(reject)
    }
  }

  #ready(): void {
    for (const go of this.#waiting) go()
    if (this.#wasReady) this.#tell()
    this.#wasReady = true
  }

  #tell(): void {
    this.#log.info('redis.back', { link: this.#name })
    for (const listener of this.#listeners) listener()
  }

  #lost(): void {
    for (const give of this.#pending) give(new Unanswered('the connection was lost'))
  }

  #note(error: Error): void {
    if (!this.#closed)
      this.#log.warn('redis.connection_error', { link: this.#name, error: error.message })
  }
}

function nodesOf(client: Client): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client]
}

/** On a Cluster a pipeline goes to one node, whole, and where that node points to. */
async function pipelined(client: Cluster, commands: readonly Command[]): Promise<Reply[]> {
  const pipeline = client.pipeline()
  for (const [name, ...args] of commands) pipeline.call(name, args)
  const results = (await pipeline.exec()) ?? []
  return commands.map((_, index) => {
    const [error, value] = results[index] ?? [new Error('no reply')]
    return error === null || error === undefined ? { value } : { failure: failureOf(error) }
  })
}

/**
 * In one write. Not by a pipeline of ioredis: each defines a property of its own, so that V8 makes a shape for it that lives, with all that was
 * sent and answered, until the next full collection of garbage.
 */
function corked(client: Redis, commands: readonly Command[]): Promise<Reply[]> {
  const { stream } = client
  stream.cork()
  try {
    return Promise.all(commands.map(([name, ...args]) => replyOf(client.call(name, args))))
  } finally {
    stream.uncork()
  }
}

async function replyOf(answer: Promise<unknown>): Promise<Reply> {
  try {
    return { value: await answer }
  } catch (error) {
    return { failure: failureOf(error) }
  }
}
