import { readUIMessageStream, toUIMessageStream, type UIMessage } from 'ai'
import { test, type TestOptions } from 'vitest'
import { readThroughProvider, recordings, serveRecording, type StreamPart } from './recordings.ts'

type UiChunks = ReturnType<typeof toUIMessageStream>

/** What a provider streamed once, as it streams it to this test. */
export interface RecordedAnswer {
  readonly name: string
  /** Its place among all that there are. */
  readonly index: number
  /** As an agent reads it, from its beginning each time. */
  readonly parts: () => AsyncIterable<StreamPart>
  /** As the AI SDK streams it to a page, with all that it can tell; the ids of it are new each time. */
  readonly chunks: (message?: { readonly generateMessageId: () => string }) => UiChunks
}

/**
 * A test for each recording there is; where there are none, one that is skipped says so.
 * @param title with `%s` for the recording's name
 */
export function testRecorded(
  title: string,
  options: TestOptions,
  show: (answer: RecordedAnswer) => Promise<void>,
): void {
  const names = recordings()
  if (names.length === 0) {
    test.skip(
      'there are no recordings beside the project, and HELDLINE_RECORDINGS names no folder of them',
    )
  }
  test.for(names)(title, options, async (name) => {
    const provider = await serveRecording(name)
    const parts = () => readThroughProvider(name, provider.url)
    const chunks: RecordedAnswer['chunks'] = (message) => {
      const stream = streamOf(parts())
      return toUIMessageStream({ stream, sendReasoning: true, sendSources: true, ...message })
    }
    try {
      await show({ name, index: names.indexOf(name), parts, chunks })
    } finally {
      await provider.close()
    }
  })
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
