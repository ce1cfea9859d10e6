/** One step of the demo agent's run: what it appends, and how long it takes for it. */
export interface Step {
  readonly afterMs: number
  readonly type: 'message.started' | 'message.delta' | 'message.completed'
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * A whole run as an agent with tools would stream it: reasoning, tool calls with results, text. A function of the question alone, so that another process
 * can go on at the step where one died.
 */
export function scriptedRun(
  message: string,
  question: { readonly id: string; readonly text: string },
): Step[] {
  const started: Step = {
    afterMs: 250,
    type: 'message.started',
    data: { message, role: 'assistant', parent: question.id, metadata: { agent: 'demo' } },
  }
  const topic = question.text.replace(/\s+/g, ' ').trim().slice(0, 80) || 'nothing in particular'
  return [
    started,
    ...words(REASONING(topic), 22, (text) => ({
      message,
      type: 'reasoning',
      part: 'thoughts',
      text,
    })),
    ...tool(
      message,
      'lookup',
      { name: 'search_docs', input: { query: topic, limit: 3 } },
      SEARCH_RESULT,
      1400,
    ),
    ...words(INTRO(topic), 30, (text) => ({ message, part: 'answer-1', text })),
    ...tool(
      message,
      'measure',
      { name: 'measure_latency', input: { samples: 200, unit: 'ms' } },
      MEASURED,
      1800,
    ),
    ...words(BODY, 26, (text) => ({ message, part: 'answer-2', text })),
    { afterMs: 100, type: 'message.completed', data: { message, status: 'completed' } },
  ]
}

/** A text cut as a model's tokens are: words with the space before them. */
function words(text: string, everyMs: number, data: (token: string) => Step['data']): Step[] {
  const tokens = text.match(/\s*\S+/g) ?? []
  return tokens.map((token, index) => ({
    // A little uneven, the same for every run.
    afterMs: everyMs + ((index * 7919) % 23) - 8,
    type: 'message.delta',
    data: data(token),
  }))
}

function tool(
  message: string,
  id: string,
  call: { readonly name: string; readonly input: unknown },
  output: unknown,
  takesMs: number,
): Step[] {
  const part = { id, type: 'tool', ...call }
  return [
    { afterMs: 300, type: 'message.delta', data: { message, add: { ...part, state: 'running' } } },
    {
      afterMs: takesMs,
      type: 'message.delta',
      data: { message, add: { ...part, state: 'done', output } },
    },
  ]
}

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
