import type { Run } from '../agent/index.ts'
import type { Message } from '../protocol/fold/message.ts'
import { pause } from './pause.ts'
import type { Chunk, Step } from './script.ts'

/**
 * Plays the steps of a script as the stream of a model. What an earlier process of the run had said is said again at once, in its place, and
 * the rest in its own time.
 * @param stop this process goes away @throws what `stop` says
 */
export async function* perform(
  run: Run,
  steps: readonly Step[],
  said: number,
  stop: AbortSignal,
): AsyncGenerator<Chunk, void> {
  let left = said
  for (const step of steps) {
    if ('ask' in step) {
      yield* perform(run, (await isAllowed(run, step.ask)) ? step.yes : step.no, left, stop)
      continue
    }
    if (left <= 0) await pause(step.afterMs, stop)
    stop.throwIfAborted()
    left -= 'delta' in step.chunk ? step.chunk.delta.length : 0
    yield step.chunk
  }
}

/** The question has the run's name: asked again by another process it is the same one, with the same answer. */
async function isAllowed(run: Run, prompt: string): Promise<boolean> {
  const answer = await run.ask({
    question: `${run.id}.ask`,
    prompt,
    schema: { type: 'boolean' },
  })
  return answer === true
}

/** How many letters an earlier process of the run wrote. */
export function lettersOf(run: string, messages: readonly Message[]): number {
  return messages
    .filter((message) => message.run === run)
    .flatMap(({ parts }) => parts)
    .filter(({ type }) => type === 'text' || type === 'reasoning')
    .reduce((sum, { text = '' }) => sum + text.length, 0)
}
