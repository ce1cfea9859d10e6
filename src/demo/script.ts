/** What a model's SDK would stream: chunks of AI SDK, as far as the script has them. */
export type Chunk =
  | { readonly type: 'text-start' | 'reasoning-start'; readonly id: string }
  | { readonly type: 'text-delta' | 'reasoning-delta'; readonly id: string; readonly delta: string }
  | {
      readonly type: 'tool-input-available'
      readonly toolCallId: string
      readonly toolName: string
      readonly input: unknown
    }
  | {
      readonly type: 'tool-output-available'
      readonly toolCallId: string
      readonly output: unknown
    }
  | { readonly type: 'tool-output-denied'; readonly toolCallId: string }

/** One step of the demo agent's run: what it streams and how long it takes for it, or what it asks before it goes on. */
export type Step =
  | { readonly afterMs: number; readonly chunk: Chunk }
  | { readonly ask: string; readonly yes: readonly Step[]; readonly no: readonly Step[] }

/** Prompts that lead to a tool which nobody may use unasked. */
const SENSITIVE = /\b(publish|deploy|delete|approv\w*|ask me)\b/i

/**
 * A whole run as an agent with tools would stream it: reasoning, tool calls with results, text. A function of the prompt alone, so that another process
 * can go on at the step where one died.
 */
export function scriptedRun(prompt: string): readonly Step[] {
  const topic = prompt.replace(/\s+/g, ' ').trim().slice(0, 80) || 'nothing in particular'
  return SENSITIVE.test(topic) ? sensitiveRun(topic) : plainRun(topic)
}

function plainRun(topic: string): readonly Step[] {
  const search = call('lookup', 'search_docs', { query: topic, limit: 3 })
  const measure = call('measure', 'measure_latency', { samples: 200, unit: 'ms' })
  return [
    ...words('reasoning', 'thoughts', REASONING(topic), 22),
    search,
    result('lookup', SEARCH_RESULT, 1400),
    ...words('text', 'answer-1', INTRO(topic), 30),
    measure,
    result('measure', MEASURED, 1800),
    ...words('text', 'answer-2', BODY, 26),
  ]
}

function sensitiveRun(topic: string): readonly Step[] {
  const denied: Step = { afterMs: 0, chunk: { type: 'tool-output-denied', toolCallId: 'publish' } }
  return [
    ...words('text', 'answer-1', BEFORE_ASKING(topic), 30),
    call('publish', 'publish_page', { page: 'release-notes', audience: 'everyone' }),
    {
      ask: 'May I publish the release notes for everyone?',
      yes: [
        result('publish', { published: true }, 800),
        ...words('text', 'answer-2', AFTER_YES, 26),
      ],
      no: [denied, ...words('text', 'answer-2', AFTER_NO, 26)],
    },
  ]
}

/** A text cut as a model's tokens are: words with the space before them. */
function words(
  kind: 'text' | 'reasoning',
  id: string,
  text: string,
  everyMs: number,
): readonly Step[] {
  const tokens = text.match(/\s*\S+/g) ?? []
  const start: Step = { afterMs: 0, chunk: { type: `${kind}-start`, id } }
  const deltas = tokens.map((delta, index): Step => ({
    // A little uneven, the same for every run.
    afterMs: everyMs + ((index * 7919) % 23) - 8,
    chunk: { type: `${kind}-delta`, id, delta },
  }))
  return [start, ...deltas]
}

function call(toolCallId: string, toolName: string, input: unknown): Step {
  return { afterMs: 300, chunk: { type: 'tool-input-available', toolCallId, toolName, input } }
}

function result(toolCallId: string, output: unknown, takesMs: number): Step {
  return { afterMs: takesMs, chunk: { type: 'tool-output-available', toolCallId, output } }
}

const BEFORE_ASKING = (topic: string): string =>
  `You wrote “${topic}”. That takes a tool which I may not use unasked, so my run waits for a person now. ` +
  `It waits in the session: reload, close the page, restart the server. Answer from any tab or device; the first answer counts.`

const AFTER_YES = `Thank you. It is done, once, whichever tab the answer came from. Every window that is open here saw the same answer.`

const AFTER_NO = `Understood: I leave it alone. Every window that is open here saw the same answer.`

const REASONING = (topic: string): string =>
  `The person asks about “${topic}”. I have no model behind me here, so I should say what this page shows instead: that ` +
  `this answer lives in a session and not in a connection. Let me look something up, so that there is a tool call whose result would be lost ` +
  `by an ordinary stream, and then measure something that takes a while.`

const SEARCH_RESULT = {
  hits: [
    { title: 'A position names content, not only a number', clause: 'P-1.4' },
    { title: 'An event is taken iff it follows and links', clause: 'P-4.3' },
    { title: "What can't be given is said", clause: 'P-4.4' },
  ],
}

const INTRO = (topic: string): string =>
  `You asked about “${topic}”. I am a scripted agent: I need no key, and I stream like a real one does, one small piece after the other. ` +
  `What is worth watching is what happens to this text when things break.\n\nTry it while I am still writing. Reload the page. Open it a second time, on a phone if you like: ` +
  `both show the same words. Cut the network with the switch above, wait, and let it come back. Even stop the server and start it again.\n\n` +
  `First, let me measure something. That takes a moment, and a connection may die meanwhile; the result will be here all the same.`

const MEASURED = { p50: 1.4, p99: 4.1, lost: 0, doubled: 0 }

const BODY =
  `There it is.\n\nEvery piece that I append is an event with a serial: 1, 2, 3 and so on, without a hole. It also carries a random tag, and the tag of the event before it, so that your ` +
  `browser can tell whether what comes next really belongs to what it has. When your connection drops, the browser remembers the position of the last event that it took. When it is back, ` +
  `it says that position, and gets what followed. Nothing is lost, nothing comes twice, and nothing is out of order.\n\nIf you were away for long, you do not get every token again. You get the message as it stands now, folded from all ` +
  `of them, and then what follows. And if something really cannot be given, because it is older than what is kept, you are told so, with a reason, rather than being left with a silent hole.\n\n` +
  `I do not know whether you were here all the time, and I do not need to. I appended to the session over plain HTTP, and the session held the line. That is all there is to it. Ask me something else, ` +
  `or look at the events below: they are what really happened.`
