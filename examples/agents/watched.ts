// An agent that does not stream to an empty room: while somebody is there, every word as it comes; while nobody is, a whole chapter at a time and a
// checkpoint, from which another process could go on. When it is done, its result has to reach the one who asked for it.
//
//   HELDLINE_URL=http://127.0.0.1:4400 HELDLINE_KEY=id:secret node examples/agents/watched.ts chat-1 user-42
import { createAgent, type Run } from 'heldline/agent'

export interface Chapter {
  readonly title: string
  readonly words: AsyncIterable<string>
}

export type Style = 'every word' | 'whole chapters'

/** @param told hears how each chapter is written */
export async function write(
  run: Run,
  chapters: AsyncIterable<Chapter>,
  told: (style: Style) => void = () => undefined,
): Promise<number> {
  let done = 0
  for await (const { title, words } of chapters) {
    const watched = (await run.attached()).human > 0
    told(watched ? 'every word' : 'whole chapters')
    await run.status({ step: title })
    if (watched) await run.pipe(words)
    else {
      let chapter = ''
      for await (const word of words) chapter += word
      await run.text(chapter)
      await run.message()
    }
    await run.checkpoint({ chapters: ++done })
  }
  return done
}

async function* chapters(): AsyncGenerator<Chapter> {
  for (const title of ['Leaves', 'Water', 'Patience']) yield { title, words: words(title) }
}

async function* words(title: string): AsyncGenerator<string> {
  for (const word of `${title}: what there is to say of it. `.split(/(?<= )/)) {
    await new Promise((resolve) => setTimeout(resolve, 30))
    yield word
  }
}

if (import.meta.main) {
  const { HELDLINE_URL = 'http://127.0.0.1:4400', HELDLINE_KEY = '' } = process.env
  const [name = 'chat-1', reader = 'user-42'] = process.argv.slice(2)
  await using agent = createAgent({ url: HELDLINE_URL, apiKey: HELDLINE_KEY })
  const session = agent.session(name)
  await session.open()
  const result = await session.run({ agent: 'writer', deliverTo: [reader] }, (run) =>
    write(run, chapters(), console.log),
  )
  console.log(JSON.stringify(result))
}
