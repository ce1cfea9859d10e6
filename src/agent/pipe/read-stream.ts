/** What can be piped: an iterable or stream of text, bytes, or the chunks of a framework. */
export type Pipeable = AsyncIterable<unknown> | Iterable<unknown> | ReadableStream<unknown>

/**
 * The chunks of a stream, until it ends or the signal fires; then the stream is told that nobody reads on.
 * @throws what the stream throws
 */
export async function* chunksOf(stream: Pipeable, signal: AbortSignal): AsyncGenerator {
  const iterator = iteratorOf(stream)
  const aborted = Promise.withResolvers<null>()
  const abort = (): void => aborted.resolve(null)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  let ended = false
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise])
      if (next === null) return
      ended = next.done === true
      if (ended) return
      yield next.value
    }
  } catch (error) {
    ended = true
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
    // A generator that waits for its model hears of this only when the model answers: nobody waits for that.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

interface Source {
  next(): Promise<IteratorResult<unknown>>
  return?(): Promise<unknown>
}

function iteratorOf(stream: Pipeable): Source {
  if (typeof stream === 'string') return iterate([stream])
  if (Symbol.asyncIterator in stream) {
    const iterator = stream[Symbol.asyncIterator]()
    return {
      next: () => iterator.next(),
      return: () => Promise.resolve(iterator.return?.(undefined)),
    }
  }
  return Symbol.iterator in stream ? iterate(stream) : readerOf(stream)
}

function iterate(values: Iterable<unknown>): Source {
  const iterator = values[Symbol.iterator]()
  return {
    next: () => Promise.resolve(iterator.next()),
    return: () => Promise.resolve(iterator.return?.(undefined)),
  }
}

/** Where web streams cannot be iterated. */
function readerOf(stream: ReadableStream<unknown>): Source {
  const reader = stream.getReader()
  return {
    next: async () => {
      const { done, value } = await reader.read()
      return done ? { done: true, value: undefined } : { done: false, value }
    },
    return: () => reader.cancel(),
  }
}
