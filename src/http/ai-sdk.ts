import type { FastifyReply } from 'fastify'
import { HeldlineError } from '../protocol/errors.ts'
import {
  chatBody,
  chatMessagesAnswer,
  stopAnswer,
  type ChatBody,
  type ChatRequest,
} from '../protocol/http-ai-sdk.ts'
import { parseSessionId, type SessionId } from '../protocol/ids.ts'
import { json, NO_CONTENT, STREAMED, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import { ChunkStream } from './chunk-stream.ts'
import type { HttpLimits } from './limits.ts'
import { choice } from './parameter.ts'
import type { ChatTarget, HttpPorts } from './ports.ts'
import { limitOf, limitParameter } from './query.ts'
import type { Route } from './route.ts'
import type { Streams } from './streams.ts'

type Ports = Pick<HttpPorts, 'aiSdk' | 'clock' | 'limits' | 'log' | 'draining'>

const CHAT = '/compat/ai-sdk/chat'
const ONE = `${CHAT}/{session}`
/** A client sends all of its messages with each of its requests. */
const MAX_BYTES = 4 * 1024 * 1024
const DEFAULT_MESSAGES = 100
const MAX_MESSAGES = 1000

const VERSION = {
  version: choice(
    ['6', '7'],
    '`6`: the client is of AI SDK 6, and is told the chunks alone that it knows. Default `7`.',
  ),
}
const STREAM = {
  about:
    'The answer as UI message chunks, one a server-sent event, from its first on; it ends with `[DONE]`.',
  type: 'text/event-stream',
}

/** What the AI SDK's `DefaultChatTransport` asks for, at `api: '/compat/ai-sdk/chat'`. [P-18] */
export function aiSdkRoutes(ports: Ports, limits: HttpLimits, streams: Streams): readonly Route[] {
  return [
    {
      method: 'POST',
      path: CHAT,
      summary: 'Send a message, as the AI SDK does',
      description:
        'The last message becomes an input of the session `id`, and the answer is what its run says. The same message again starts nothing: it is answered by the same run.',
      query: VERSION,
      body: { schema: chatBody, required: true, maxBytes: MAX_BYTES },
      answers: { 200: STREAM },
      errors: [
        'session_not_found',
        'session_closed',
        'session_limit',
        'message_not_found',
        'message_exists',
        'invalid_session_id',
        'idempotency_conflict',
        'connection_limit',
        'draining',
      ],
      handle: (call, reply) => send(call, reply, ports, streams),
    },
    {
      method: 'GET',
      path: `${ONE}/stream`,
      summary: 'Resume the answer that is being given',
      description: 'From its first chunk, and then as it goes on.',
      query: {
        ...VERSION,
        last: choice(
          ['true', 'false'],
          '`true`: where nothing is being answered, the latest answer, over as it is; for who was cut off and comes back after its end.',
        ),
      },
      answers: { 200: STREAM, 204: { about: 'Nothing is being answered.' } },
      errors: ['invalid_request', 'connection_limit', 'draining'],
      handle: (call, reply) => resume(call, reply, ports, streams),
    },
    {
      method: 'POST',
      path: `${ONE}/stop`,
      summary: 'Stop the answer that is being given',
      description:
        'Cancels the runs that live; where none does, takes back the inputs of this subject that wait. A client that merely goes away stops nothing.',
      answers: { 200: { about: 'What was stopped.', schema: stopAnswer } },
      handle: async (call) => json(await ports.aiSdk.stop(call.grant, call.session)),
    },
    {
      method: 'GET',
      path: `${ONE}/messages`,
      summary: 'Read the messages as the AI SDK keeps them',
      description: 'The latest that lead to where the session is now: what `useChat` begins with.',
      query: { limit: limitParameter(DEFAULT_MESSAGES, MAX_MESSAGES) },
      answers: { 200: { about: 'UI messages, oldest first.', schema: chatMessagesAnswer } },
      errors: ['invalid_limit', 'event_corrupt'],
      handle: (call) => messages(call, ports, limits),
    },
    {
      method: 'GET',
      path: '/compat/ai-sdk/ws',
      summary: 'Open a WebSocket for the AI SDK',
      description:
        'With `Upgrade: websocket`; the frames are those of `WebSocketChatTransport`. A plain request is refused.',
      quiet: true,
      answers: { 101: { about: 'The socket is open.' } },
      errors: ['upgrade_required'],
      handle: () => {
        throw new HeldlineError('upgrade_required', 'unable to answer; this path opens WebSockets')
      },
    },
  ]
}

async function send(
  call: Call,
  reply: FastifyReply,
  ports: Ports,
  streams: Streams,
): Promise<typeof STREAMED> {
  const body = call.object(chatBody)
  const version = versionOf(call)
  demandRoom(ports, streams)
  const session = parseSessionId(body.id)
  if (session === null) {
    throw new HeldlineError(
      'invalid_session_id',
      'the chat id does not have the form of a session id',
    )
  }
  const target = await ports.aiSdk.send(call.grant, session, requestOf(body))
  return follow(call, reply, ports, streams, { session, target, version })
}

async function resume(
  call: Call,
  reply: FastifyReply,
  ports: Ports,
  streams: Streams,
): Promise<Answer | typeof STREAMED> {
  const last = call.query().get('last') ?? 'false'
  if (last !== 'true' && last !== 'false') {
    throw new HeldlineError('invalid_request', 'unable to resume; last is true or false')
  }
  const version = versionOf(call)
  demandRoom(ports, streams)
  const target = await ports.aiSdk.active(call.grant, call.session, last === 'true')
  if (target === null) return NO_CONTENT
  return follow(call, reply, ports, streams, { session: call.session, target, version })
}

/** @throws HeldlineError `invalid_request` */
function versionOf(call: Call): 6 | 7 {
  const version = call.query().get('version') ?? '7'
  if (version === '6') return 6
  if (version === '7') return 7
  throw new HeldlineError('invalid_request', 'unable to answer; version is 6 or 7')
}

/** What is told, and to whom. */
interface Told {
  readonly session: SessionId
  readonly target: ChatTarget
  readonly version: 6 | 7
}

async function follow(
  call: Call,
  reply: FastifyReply,
  ports: Ports,
  streams: Streams,
  { session, target, version }: Told,
): Promise<typeof STREAMED> {
  const stream = new ChunkStream(call, reply, ports)
  streams.add(stream)
  stream.onClose(() => streams.delete(stream))
  await stream.begin(ports.aiSdk.response(session, target, stream, version))
  return STREAMED
}

async function messages(call: Call, { aiSdk }: Ports, { pageBytes }: HttpLimits): Promise<Answer> {
  const limit = limitOf(call.query().get('limit'), DEFAULT_MESSAGES, MAX_MESSAGES)
  return json(await aiSdk.messages(call.session, limit, pageBytes))
}

function demandRoom({ draining }: Ports, streams: Streams): void {
  if (draining()) throw new HeldlineError('draining', 'unable to answer; this node is going down')
  streams.demandRoom()
}

/** What is not the transport's own is the application's. */
function requestOf(body: ChatBody): ChatRequest {
  const { id: _, messages, trigger = 'submit-message', messageId, ...extra } = body
  return { messages, trigger, ...(messageId !== undefined && { messageId }), extra }
}
