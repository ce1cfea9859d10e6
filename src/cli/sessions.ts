import { SERVER_HELP, type Command } from './command.ts'
import { connect, parseOptions, text } from './options.ts'

interface Listed {
  readonly id: string
}
interface Page {
  readonly sessions: readonly Listed[]
  readonly cursor: string | null
}

export const sessions: Command = {
  name: 'sessions',
  summary: 'list sessions, one JSON object a line',
  help: `heldline sessions [options]

Lists sessions, one JSON object a line.

  --prefix <text>    only ids that begin so
  --limit <n>        stop after so many (default 100)${SERVER_HELP}`,
  async run(args, io) {
    const parsed = parseOptions(args, { prefix: { type: 'string' }, limit: { type: 'string' } })
    const api = connect(parsed, io.env)
    let left = Number(text(parsed, 'limit') ?? '100')
    let cursor: string | null = null
    do {
      const query = new URLSearchParams({ limit: String(Math.min(left, 100)) })
      const prefix = text(parsed, 'prefix')
      if (prefix !== undefined) query.set('prefix', prefix)
      if (cursor !== null) query.set('cursor', cursor)
      const response = await api.request(`/v1/sessions?${query}`, { signal: io.signal })
      const page = (await response.json()) as Page
      for (const session of page.sessions) io.out(JSON.stringify(session))
      left -= page.sessions.length
      cursor = page.cursor
    } while (cursor !== null && left > 0)
  },
}
