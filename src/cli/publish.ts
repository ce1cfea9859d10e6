import { createInterface } from 'node:readline'
import { randomUUID } from 'node:crypto'
import { CliError } from './api.ts'
import { SERVER_HELP, type Command, type Io } from './command.ts'
import { connect, parseOptions, text } from './options.ts'

const BATCH = 100

export const publish: Command = {
  name: 'publish',
  summary: 'append events to a session',
  help: `heldline publish <session> [text] [options]

Appends to a session and prints the answer.

  heldline publish chat-1 "Hello"                       a message from a user
  heldline publish chat-1 "Hi" --role assistant
  heldline publish chat-1 --type x.note --data '{"a":1}'
  some-agent | heldline publish chat-1 --stdin          one event a line, as JSON

  --role <role>      user, assistant, system or tool (default user)
  --type <type>      an event type instead of a message
  --data <json>      its data
  --stdin            read events from standard input
  --create           make the session where it is not there${SERVER_HELP}`,
  async run(args, io) {
    const parsed = parseOptions(args, {
      role: { type: 'string' },
      type: { type: 'string' },
      data: { type: 'string' },
      stdin: { type: 'boolean' },
      create: { type: 'boolean' },
    })
    const [session, words] = parsed.positionals
    if (session === undefined)
      throw new CliError('unable to publish; name a session (see heldline publish --help)')
    const api = connect(parsed, io.env)
    const path = `/v1/sessions/${encodeURIComponent(session)}`
    if (parsed.values['create'] === true) await api.request(path, { method: 'PUT', body: {} })
    const append = async (body: unknown): Promise<void> => {
      const headers = { 'idempotency-key': randomUUID() }
      const response = await api.request(`${path}/events`, { method: 'POST', body, headers })
      io.out(await response.text())
    }
    if (parsed.values['stdin'] === true) return fromStdin(io, append)
    const type = text(parsed, 'type')
    if (type !== undefined) return append({ type, data: parse(text(parsed, 'data') ?? 'null') })
    if (words === undefined) throw new CliError('unable to publish; give a text, --type or --stdin')
    const role = text(parsed, 'role') ?? 'user'
    await append({
      type: 'message.completed',
      data: { message: randomUUID(), role, parts: [{ type: 'text', text: words }] },
    })
  },
}

/**
 * Lines go out as they come, in order: those that came together, and what gathered while the batch before was under way. An agent that
 * writes word by word is read word by word.
 */
async function fromStdin(
  io: Io,
  append: (events: readonly unknown[]) => Promise<void>,
): Promise<void> {
  const lines = createInterface({ input: io.stdin, signal: io.signal })
  const waiting: unknown[] = []
  let sending: Promise<void> | null = null
  const send = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    try {
      while (waiting.length > 0) await append(waiting.splice(0, BATCH))
      sending = null
    } catch (error) {
      // The next line may be long in coming.
      lines.close()
      throw error
    }
  }
  try {
    let number = 0
    for await (const line of lines) {
      number++
      if (line.trim() === '') continue
      waiting.push(parse(line, `line ${number}`))
      sending ??= send()
      // It is looked at below.
      sending.catch(() => undefined)
      if (waiting.length >= BATCH) await sending
    }
  } finally {
    // What came before a mistake is sent.
    await sending
  }
}

function parse(json: string, what = 'that'): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new CliError(`unable to publish; ${what} is not JSON`, { cause })
  }
}
