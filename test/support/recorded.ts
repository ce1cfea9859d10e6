import { readUIMessageStream, type UIMessage } from 'ai'
import { test } from 'vitest'
import { recordings } from './recordings.ts'

/** The recordings there are; where there are none, a test that is skipped says so. */
export function recordedAnswers(): readonly string[] {
  const names = recordings()
  if (names.length === 0) {
    test.skip(
      'there are no recordings beside the project, and HELDLINE_RECORDINGS names no folder of them',
    )
  }
  return names
}

export function streamOf<T>(parts: AsyncIterable<T>): ReadableStream<T> {
  return new ReadableStream({
    start: async (controller) => {
      for await (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
}

/** What the AI SDK itself makes of the chunks. */
export async function shownDirectly(stream: ReadableStream): Promise<UIMessage | undefined> {
  let shown: UIMessage | undefined
  for await (const state of readUIMessageStream({ stream, onError: () => undefined })) shown = state
  return shown
}
