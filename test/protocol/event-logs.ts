import fc from 'fast-check'
import type { WireEvent } from '../../src/protocol/event.ts'
import { GENESIS_TAG, type Epoch } from '../../src/protocol/ids.ts'
import { genesis } from '../../src/protocol/position.ts'

// Values that have the form of their ids, so these casts are their parsers.
export const EPOCH = 'epoch-0001' as Epoch
export const START = genesis(EPOCH)

export interface Said {
  readonly type: string
  readonly data: unknown
  readonly by?: string
}

/** Events with their places in a log: serials without a hole, each linked to the one before. */
export function logOf(said: readonly Said[]): WireEvent[] {
  let prev: string = GENESIS_TAG
  return said.map(({ type, data, by = 'ada' }, index) => {
    const serial = index + 1
    const tag = `tag${String(serial).padStart(5, '0')}`
    const event = {
      serial,
      tag,
      prev,
      at: 1000 + 10 * serial,
      type,
      id: `e${serial}`,
      by: { subject: by },
      data,
    }
    prev = tag
    return event
  })
}

/** Few names, so that what happens to one thing is interesting. */
const message = fc.constantFrom('a', 'b', 'c')
const partId = fc.constantFrom('p', 'q')
const partType = fc.constantFrom('text', 'reasoning', 'tool')
const text = fc.constantFrom('', 'x', 'yz')
const metadata = fc.dictionary(fc.constantFrom('k', 'l'), fc.constantFrom(1, 'v', null), {
  maxKeys: 2,
})
const optional = { requiredKeys: [] }
const part = fc.record(
  { type: partType, id: partId, text, state: fc.constantFrom('call', 'result') },
  { requiredKeys: ['type'] },
)
const parts = fc.array(part, { maxLength: 3 })
const role = fc.constantFrom('user', 'assistant')
const parent = fc.option(message, { nil: null })

/** Every kind of event, sensible or not in its place. */
const said: fc.Arbitrary<Said> = fc.oneof(
  {
    weight: 3,
    arbitrary: event(
      'message.started',
      fc.record({ message, role, parent, parts, metadata }, { requiredKeys: ['message', 'role'] }),
    ),
  },
  {
    weight: 5,
    arbitrary: event(
      'message.delta',
      fc.record(
        { message, text, part: partId, type: partType },
        { requiredKeys: ['message', 'text'] },
      ),
    ),
  },
  { weight: 2, arbitrary: event('message.delta', fc.record({ message, add: part })) },
  {
    weight: 3,
    arbitrary: event(
      'message.completed',
      fc.record(
        {
          message,
          role,
          parent,
          parts,
          metadata,
          status: fc.constantFrom('completed', 'interrupted', 'failed'),
        },
        { requiredKeys: ['message'] },
      ),
    ),
  },
  event(
    'message.replaced',
    fc.record({ message, parts, metadata }, { requiredKeys: ['message', 'parts'] }),
  ),
  event('message.deleted', fc.record({ message, reason: text }, { requiredKeys: ['message'] })),
  event('session.created', fc.record({ metadata }, optional)),
  event('session.updated', fc.record({ metadata })),
  event('session.closed', fc.record({ reason: text }, optional)),
  event(
    fc.constantFrom('member.entered', 'member.updated'),
    fc.record({ member: message, subject: text, connected: fc.boolean() }),
  ),
  event('member.left', fc.record({ member: message, reason: fc.constant('detached') })),
  event(fc.constantFrom('x.note', 'tool.called', 'message.unheard', 'nonsense'), fc.jsonValue()),
)

function event(
  type: string | fc.Arbitrary<string>,
  data: fc.Arbitrary<unknown>,
): fc.Arbitrary<Said> {
  const types = typeof type === 'string' ? fc.constant(type) : type
  return fc.record({ type: types, data, by: fc.constantFrom('ada', 'bob') })
}

export const logs = fc.array(said, { maxLength: 40 }).map(logOf)
