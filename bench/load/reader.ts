import { WebSocket } from 'ws'
import type { Checker } from './checker.ts'
import { browserProtocols, COMMON, DIALECTS, type Dialect } from './dialects.ts'
import type { Target } from './target.ts'

export interface ReaderOptions {
  /** From where, in the server's own words; else from now. */
  readonly position?: string
  /** The number that this position stands for, where the words do not say it. */
  readonly after?: number
  readonly catchup?: 'auto' | 'events'
  /** Shown in the handshake as a browser does, in the place of the key of the run. */
  readonly token?: string
  /** Stops before the attach; `attach` goes on. */
  readonly waitToAttach?: boolean
  readonly onEvents?: (frame: Buffer) => void
  readonly onSnapshot?: (text: string) => void
}

/** What all readers of a measurement have had together. */
export interface Tally {
  events: number
  frames: number
  bytes: number
}

export const newTally = (): Tally => ({ events: 0, frames: 0, bytes: 0 })

/** One socket that follows one session, and checks every event that it is given. */
export class Reader {
  readonly ws: WebSocket
  readonly session: string
  readonly options: ReaderOptions
  /** What the server calls it, where that is needed to come back. */
  identity = ''
  /** The number of the last event. */
  last = 0
  /** Resolves once it waits to be attached, or follows. */
  readonly opened: Promise<void>
  readonly following: Promise<void>
  readonly #dialect: Dialect
  readonly #checker: Checker
  readonly #tally: Tally
  readonly #opened = Promise.withResolvers<void>()
  readonly #following = Promise.withResolvers<void>()
  #waiting: { readonly until: number; readonly done: () => void } | null = null
  #failed: ((error: Error) => void) | null = null
  error: Error | null = null
  #closing = false

  constructor(
    target: Target,
    session: string,
    checker: Checker,
    tally: Tally,
    options: ReaderOptions = {},
  ) {
    const dialect = DIALECTS[target.dialect]
    this.#dialect = dialect
    this.session = session
    this.options = options
    if (options.position !== undefined) this.last = options.after ?? 0
    this.#checker = checker
    this.#tally = tally
    this.opened = this.#opened.promise
    this.following = this.#following.promise
    this.following.catch(() => undefined)
    const url = `ws://127.0.0.1:${target.port}${dialect.path}`
    const { token } = options
    const ws =
      token === undefined
        ? new WebSocket(url, [...dialect.protocols], dialect.options)
        : new WebSocket(url, browserProtocols(token), COMMON)
    this.ws = ws
    ws.on('open', () => dialect.opened(this))
    const frames = dialect.frames?.() ?? ((data: Buffer) => [data])
    ws.on('message', (data: Buffer) => {
      try {
        for (const frame of frames(data)) {
          if (dialect.isEvents(frame)) this.take(frame)
          else dialect.control(this, frame.toString())
        }
      } catch (error) {
        this.fail(error as Error)
      }
    })
    ws.on('error', (error) => this.fail(error))
    ws.on('close', (code, reason) => {
      if (!this.#closing)
        this.fail(new Error(`the socket was closed: ${code} ${reason.toString()}`))
    })
  }

  /** The server is ready to be asked. */
  ready(): void {
    if (this.options.waitToAttach === true) this.idle()
    else this.attach()
  }

  attach(): void {
    this.#dialect.attach(this)
  }

  idle(): void {
    this.#opened.resolve()
  }

  begin(last: number): void {
    this.last = last
    this.#opened.resolve()
    this.#following.resolve()
  }

  take(frame: Buffer): void {
    const count = this.#checker.count(frame, this.last + 1)
    this.last += count
    this.#tally.events += count
    this.#tally.frames++
    this.#tally.bytes += frame.length
    this.options.onEvents?.(frame)
    if (this.#waiting !== null && this.last >= this.#waiting.until) this.#waiting.done()
  }

  /** Resolves when the event of this number has come. */
  async reach(number: number, withinMs: number): Promise<void> {
    if (this.error !== null) throw this.error
    if (this.last >= number) return
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { until: number, done: resolve }
        this.#failed = reject
        timer = setTimeout(() => {
          reject(new Error(`missing: ${this.last + 1} to ${number} did not come in ${withinMs} ms`))
        }, withinMs)
      })
    } finally {
      clearTimeout(timer)
      this.#waiting = null
      this.#failed = null
    }
  }

  fail(error: Error): void {
    if (this.#closing) return
    this.error ??= error
    this.#opened.reject(error)
    this.#following.reject(error)
    this.#failed?.(error)
  }

  /** Ends it; with `cut`, as a network would. */
  close(cut = false): void {
    this.#closing = true
    if (cut) this.ws.terminate()
    else this.ws.close()
  }
}

const OPEN_AT_ONCE = 100

/** Opens so many readers, a hundred at a time. */
export async function openReaders(
  count: number,
  make: (index: number) => Reader,
): Promise<Reader[]> {
  const readers: Reader[] = []
  for (let start = 0; start < count; start += OPEN_AT_ONCE) {
    const length = Math.min(OPEN_AT_ONCE, count - start)
    const some = Array.from({ length }, (_, i) => make(start + i))
    await Promise.all(some.map((reader) => reader.opened))
    readers.push(...some)
  }
  return readers
}

/** @throws the first thing that went wrong with any of them */
export function assertNoErrors(readers: readonly Reader[]): void {
  for (const { error } of readers) if (error !== null) throw error
}
