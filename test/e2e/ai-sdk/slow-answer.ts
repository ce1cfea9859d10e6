import { readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai'
import type { Run } from '../../../src/agent/index.ts'
import { pause, until } from '../../support/until.ts'

const THOUGHTS = words('thought', 40)
const WORDS = words('word', 120)
const CALL = { toolCallId: 'call-1', toolName: 'look' }

function words(word: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => (n === 0 ? '' : ' ') + `${word}-${n} 👀`)
}

/** An answer that thinks, looks something up, and says what it found: as the AI SDK streams it. */
const CHUNKS: readonly UIMessageChunk[] = [
  { type: 'start' },
  { type: 'start-step' },
  { type: 'reasoning-start', id: 'r' },
  ...THOUGHTS.map((delta) => ({ type: 'reasoning-delta' as const, id: 'r', delta })),
  { type: 'reasoning-end', id: 'r' },
  { type: 'tool-input-start', ...CALL },
  { type: 'tool-input-delta', toolCallId: CALL.toolCallId, inputTextDelta: '{"at":' },
  { type: 'tool-input-delta', toolCallId: CALL.toolCallId, inputTextDelta: '"sea"}' },
  { type: 'tool-input-available', ...CALL, input: { at: 'sea' } },
  { type: 'tool-output-available', toolCallId: CALL.toolCallId, output: { colour: 'blue' } },
  { type: 'finish-step' },
  { type: 'start-step' },
  { type: 'text-start', id: 't' },
  ...WORDS.map((delta) => ({ type: 'text-delta' as const, id: 't', delta })),
  { type: 'text-end', id: 't' },
  { type: 'finish-step' },
  { type: 'finish', finishReason: 'stop' },
]

/** What is on the screen when all of it is. */
export const WHOLE = onScreen(CHUNKS.length)

/** After so many chunks: the words, and a mark where the tool is. */
function onScreen(count: number): string {
  const shown = CHUNKS.slice(0, count).map((chunk) => {
    if (chunk.type === 'tool-input-start') return `[tool-${chunk.toolName}]`
    return 'delta' in chunk ? chunk.delta : ''
  })
  return shown.join('')
}

/** Where the chunks of a kind begin, and how many there are. */
export const PLACES = {
  thoughts: 3,
  call: CHUNKS.findIndex(({ type }) => type === 'tool-input-delta') + 1,
  text: CHUNKS.findIndex(({ type }) => type === 'text-start') + 1,
  all: CHUNKS.length,
}

/** The message that the AI SDK itself makes of it, without a session. */
export async function directParts(): Promise<UIMessage['parts']> {
  let message: UIMessage | undefined
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const chunk of CHUNKS) controller.enqueue(chunk)
      controller.close()
    },
  })
  for await (const state of readUIMessageStream({ stream })) message = state
  return message?.parts ?? []
}

/** The answer of one agent: a chunk every few milliseconds, and not more than it may. */
export class SlowAnswer {
  readonly #everyMs: number
  #allowed = 0
  /** Chunks that were given to the session. */
  said = 0
  runs = 0

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** It goes on until it has given so many chunks; at first it gives none. */
  allow(chunks: number): void {
    this.#allowed = chunks
  }

  async give(run: Run): Promise<void> {
    this.runs++
    await run.pipe(this.#paced(run.signal))
  }

  /** Whether the screen has what so many chunks show, and maybe more. */
  static isAt(screen: string, chunks: number): boolean {
    return screen.startsWith(onScreen(chunks))
  }

  async *#paced(signal: AbortSignal): AsyncGenerator<UIMessageChunk> {
    for (const [index, chunk] of CHUNKS.entries()) {
      const mayGoOn = () => index < this.#allowed || signal.aborted
      await until('the agent may go on', mayGoOn, { withinMs: 120_000 })
      if (signal.aborted) return
      await pause(this.#everyMs)
      this.said = index + 1
      yield chunk
    }
  }
}
