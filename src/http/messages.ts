import { messageText } from '../core/message-text.ts'
import { activePath, pathTo } from '../protocol/branches.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { Message } from '../protocol/fold/message.ts'
import { messagesAnswer } from '../protocol/http-messages.ts'
import { ID_PATTERN } from '../protocol/ids.ts'
import { formatPosition } from '../protocol/position.ts'
import { jsonText, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpLimits } from './limits.ts'
import { like } from './parameter.ts'
import type { HttpPorts } from './ports.ts'
import { limitOf, limitParameter } from './query.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'views'>

const DEFAULT_PAGE = 50
/** The branch of the message that was started last. */
const LATEST = 'latest'

/** What people read, folded. [P-9.6] */
export function messageRoutes(ports: Ports, limits: HttpLimits): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/sessions/{session}/messages',
      summary: 'Read the folded messages',
      description:
        'In the order in which they began; the first page has the latest. They are folded at `position`: follow from there.',
      query: {
        limit: limitParameter(DEFAULT_PAGE, limits.messagesPage),
        before: like(
          ID_PATTERN,
          'The id of a message: only those that began before it. Of a page, the first one gives the next page.',
        ),
        branch: like(
          ID_PATTERN,
          'The id of a message, or `latest`: only the active path, which goes through that message, or through the one that began last.',
        ),
        to: like(
          ID_PATTERN,
          'The id of a message: only the path to it, which is what whoever answers it is to know.',
        ),
      },
      answers: { 200: { about: 'A page.', schema: messagesAnswer } },
      errors: ['invalid_limit', 'invalid_request', 'message_not_found', 'event_corrupt'],
      handle: (call) => readMessages(call, ports, limits),
    },
  ]
}

async function readMessages(call: Call, { views }: Ports, limits: HttpLimits): Promise<Answer> {
  const query = call.query()
  const limit = limitOf(query.get('limit'), DEFAULT_PAGE, limits.messagesPage)
  const before = query.get('before')
  // Shared: nothing is awaited between here and the text.
  const view = await views.at(call.session)
  const all = pathOf([...view.messages.values()], query)
  const end = before === undefined ? all.length : indexOf(all, before)
  const start = startOf(all, end, limit, limits.pageBytes)
  const texts = all.slice(start, end).map(messageText)
  const position = formatPosition(view.position)
  return jsonText(
    `{"messages":[${texts.join(',')}],"position":"${position}","rest":${JSON.stringify(view.rest())},"more":${start > 0}}`,
  )
}

/** All of them, or one path. [P-16.4] @throws HeldlineError `invalid_request`, `message_not_found` */
function pathOf(
  messages: readonly Message[],
  query: ReadonlyMap<string, string>,
): readonly Message[] {
  const branch = query.get('branch')
  const to = query.get('to')
  if (branch !== undefined && to !== undefined) {
    throw new HeldlineError('invalid_request', 'unable to read; branch and to exclude each other')
  }
  if (branch === LATEST) return activePath(messages)
  const named = to ?? branch
  if (named === undefined) return messages
  indexOf(messages, named)
  return to === undefined ? activePath(messages, named) : pathTo(messages, to)
}

function indexOf(messages: readonly Message[], id: string): number {
  const index = messages.findIndex((message) => message.id === id)
  if (index >= 0) return index
  throw new HeldlineError('message_not_found', 'unable to read; there is no such message', {
    facts: { message: id },
  })
}

/** Where a page begins: as many as fit below its end, at least one. */
function startOf(
  messages: readonly Message[],
  end: number,
  limit: number,
  maxBytes: number,
): number {
  let start = end
  let bytes = 0
  while (start > 0 && end - start < limit) {
    const message = messages[start - 1]
    bytes += message === undefined ? 0 : messageText(message).length
    if (bytes > maxBytes && start < end) break
    start--
  }
  return start
}
