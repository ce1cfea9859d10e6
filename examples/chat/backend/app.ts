// The application's own backend: who may come in, the mail of those who are away, and a few ways to break things.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { WebhookVerificationError } from 'standardwebhooks'
import * as z from 'zod'
import type { AgentProcess } from './agent-process.ts'
import { mintToken, openSession, type Heldline } from './heldline.ts'
import type { Inbox } from './inbox.ts'
import { PREFIX } from './names.ts'

export interface Parts {
  readonly heldline: Heldline
  readonly agent: AgentProcess
  readonly inbox: Inbox
  /** The name of the model behind the agent. */
  readonly model: string
}

const joinRequest = z.object({
  session: z.string().startsWith(PREFIX).max(100).optional(),
  name: z.string().trim().min(1).max(40),
  role: z.enum(['human', 'supervisor']).default('human'),
})
const harmRequest = z.object({ agent: z.enum(['freeze', 'thaw', 'kill']) })

const MAX_BODY_BYTES = 1_048_576

/** Answers what is asked below `/api/`. */
export async function handle(
  parts: Parts,
  { pathname, searchParams }: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const body = request.method === 'POST' ? await textOf(request) : ''
    const route = `${request.method} ${pathname}`
    if (route === 'POST /api/join') reply(response, 200, await join(parts, body))
    else if (route === 'POST /api/harm') reply(response, 200, harm(parts, body))
    else if (route === 'GET /api/agent') reply(response, 200, { frozen: parts.agent.frozen })
    else if (route === 'POST /api/hook') reply(response, 200, hook(parts, body, request))
    else if (route === 'GET /api/inbox') {
      reply(response, 200, { mails: parts.inbox.of(searchParams.get('subject') ?? '') })
    } else reply(response, 404, { error: 'there is nothing here' })
  } catch (error) {
    reply(response, statusOf(error), { error: String(error) })
  }
}

function statusOf(error: unknown): number {
  if (error instanceof z.ZodError || error instanceof SyntaxError) return 400
  // Else it is Heldline that could not be asked.
  return error instanceof WebhookVerificationError ? 401 : 502
}

async function join(parts: Parts, body: string): Promise<object> {
  const {
    name,
    role,
    session = `${PREFIX}${randomUUID().slice(0, 8)}`,
  } = joinRequest.parse(JSON.parse(body))
  await openSession(parts.heldline, session)
  parts.agent.follow(session)
  const subject = `user:${name
    .normalize()
    .toLowerCase()
    .replace(/[\s\p{C}]+/gu, '-')}`
  const token = await mintToken(parts.heldline, session, { subject, name, role })
  return { session, subject, token, heldline: parts.heldline.url, model: parts.model }
}

function harm(parts: Parts, body: string): object {
  parts.agent.harm(harmRequest.parse(JSON.parse(body)).agent)
  return { frozen: parts.agent.frozen }
}

function hook(parts: Parts, body: string, { headers }: IncomingMessage): object {
  const signed = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)]),
  )
  return { taken: parts.inbox.take(body, signed) }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    // A request without an encoding brings buffers.
    const piece = chunk as Buffer
    bytes += piece.length
    if (bytes > MAX_BODY_BYTES) throw new SyntaxError('too long')
    chunks.push(piece)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
