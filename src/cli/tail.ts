import { CliError, type Api } from './api.ts'
import { SERVER_HELP, type Command } from './command.ts'
import { connect, parseOptions, text } from './options.ts'

interface Page {
  readonly events: readonly unknown[]
  readonly position: string
  readonly more: boolean
}

const WAIT_S = 25
const RETRY_MS = 1000

export const tail: Command = {
  name: 'tail',
  summary: 'follow a session, one event a line',
  help: `heldline tail <session> [options]

Prints the events of a session, one JSON object a line, and follows it. Goes on by
itself when the server was away.

  --after <place>   a position or serial to begin after (default 0: all that is kept)
  --no-follow       stop at the head
  --text            print the text of messages as it comes, instead of events${SERVER_HELP}`,
  async run(args, io) {
    const parsed = parseOptions(args, {
      after: { type: 'string' },
      'no-follow': { type: 'boolean' },
      text: { type: 'boolean' },
    })
    const [session] = parsed.positionals
    if (session === undefined)
      throw new CliError('unable to tail; name a session (see heldline tail --help)')
    const api = connect(parsed, io.env)
    const follow = parsed.values['no-follow'] !== true
    let after = text(parsed, 'after') ?? '0'
    // Whoever has begun with a server that is not there is told so, rather than left to wait for it.
    let begun = false
    while (!io.signal.aborted) {
      const page = await nextPage({ api, session, after, follow, begun, signal: io.signal })
      if (page === null) continue
      begun = true
      for (const event of page.events) {
        const line = parsed.values['text'] === true ? textOf(event) : JSON.stringify(event)
        if (line !== null) io.out(line)
      }
      after = page.position
      if (!follow && !page.more) return
    }
  },
}

interface Asked {
  readonly api: Api
  readonly session: string
  readonly after: string
  readonly follow: boolean
  /** Whether there was a page before. */
  readonly begun: boolean
  readonly signal: AbortSignal
}

/** `null`: the server was away; try again. */
async function nextPage({ api, session, after, ...how }: Asked): Promise<Page | null> {
  const { follow, begun, signal } = how
  const query = new URLSearchParams({
    after,
    limit: '500',
    ...(follow && { wait: String(WAIT_S) }),
  })
  try {
    const path = `/v1/sessions/${encodeURIComponent(session)}/events?${query}`
    return (await (await api.request(path, { signal })).json()) as Page
  } catch (error) {
    if (signal.aborted) return null
    if (!follow || !begun || !passes(error)) throw error
    await new Promise<void>((resolve) => setTimeout(resolve, RETRY_MS))
    return null
  }
}

/** Also an answer that broke off. */
function passes(error: unknown): boolean {
  return error instanceof CliError ? error.passes : error instanceof TypeError
}

function textOf(event: unknown): string | null {
  const { type, data } = event as {
    type: string
    data: { text?: unknown; parts?: { text?: unknown }[] }
  }
  if (type === 'message.delta' && typeof data.text === 'string') return data.text
  if (type !== 'message.started' && type !== 'message.completed') return null
  const parts = (data.parts ?? [])
    .map((part) => part.text)
    .filter((part) => typeof part === 'string')
  return parts.length === 0 ? null : parts.join('\n')
}
