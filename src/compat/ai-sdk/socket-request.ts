import type { HeldlineError } from '../../protocol/errors.ts'
import type { UiMessageChunk } from '../../protocol/formats/to-ai-sdk.ts'
import type { ChunkSink, ResponseStream, Target } from './response-stream.ts'

/** The way back of one request. */
export interface RequestOut {
  ready(): boolean
  /** @param sequence counts the chunks of this request from 0 */
  chunk(chunk: UiMessageChunk, sequence: number): void
  end(): void
  fail(error: HeldlineError): void
  cut(): void
}

/** One request of a socket: from its frame, over the time until it is known what to follow, to its last chunk. */
export class SocketRequest implements ChunkSink {
  readonly #out: RequestOut
  #stream: ResponseStream | null = null
  #target: Target | null = null
  #stop: (() => void) | null = null
  #sequence = 0
  #state: 'open' | 'cancelled' | 'closed' = 'open'

  constructor(out: RequestOut) {
    this.#out = out
  }

  get closed(): boolean {
    return this.#state !== 'open'
  }

  /** What is followed by now: the run, once it is known. */
  get target(): Target | null {
    const run = this.#stream?.run ?? null
    return run === null ? this.#target : { run }
  }

  /** It is known what to follow. @param stop what cancels that: at once, where it was asked for already */
  found(target: Target, stop: () => void): void {
    this.#target = target
    this.#stop = stop
    if (this.#state === 'cancelled') stop()
  }

  async follow(stream: ResponseStream): Promise<void> {
    this.#stream = stream
    await stream.open()
  }

  /** Stops what it follows. */
  cancel(): void {
    this.#state = 'cancelled'
    this.#stop?.()
  }

  pump(): void {
    this.#stream?.pump()
  }

  /** Stops following, and nothing else. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed'
    this.#stream?.close()
  }

  ready(): boolean {
    return !this.closed && this.#out.ready()
  }

  chunk(chunk: UiMessageChunk): void {
    this.#out.chunk(chunk, this.#sequence++)
  }

  end(): void {
    this.#out.end()
  }

  fail(error: HeldlineError): void {
    this.#out.fail(error)
  }

  cut(): void {
    this.#out.cut()
  }
}
