import type { MessageWriter } from '../protocol/formats/message-writer.ts'
import { wordsOf } from './run-failure.ts'

/** The call as a part of the message, then its result in its place. */
export async function runTool<T>(
  message: MessageWriter,
  name: string,
  args: unknown,
  act: ((signal: AbortSignal) => T | Promise<T>) | undefined,
  signal: AbortSignal,
): Promise<T | undefined> {
  signal.throwIfAborted()
  const id = message.nextPart()
  const called = { type: 'tool', id, name, call: id, state: 'called', input: args }
  await message.put(called)
  if (act === undefined) return undefined
  try {
    const output = await act(signal)
    await message.put({ ...called, state: 'done', output })
    return output
  } catch (error) {
    signal.throwIfAborted()
    await message.put({ ...called, state: 'failed', error: wordsOf(error) })
    throw error
  }
}
