import fc from 'fast-check'
import { EVENT_DATA, type WireEvent } from '../../src/protocol/event.ts'
import { GENESIS_TAG, type Epoch } from '../../src/protocol/ids.ts'
import { genesis } from '../../src/protocol/position.ts'
import { event, jsonOf, recordEvents, spoiled, type Said } from './arbitrary-events.ts'

// Values that have the form of their ids, so these casts are their parsers.
export const EPOCH = 'epoch-0001' as Epoch
export const START = genesis(EPOCH)

/** Events with their places in a log: serials without a hole, each linked to the one before. */
export function logOf(said: readonly Said[]): WireEvent[] {
  let prev: string = GENESIS_TAG
  return said.map(({ type, data, by = 'ada', run }, index) => {
    const serial = index + 1
    const tag = `tag${String(serial).padStart(5, '0')}`
    const event = {
      serial,
      tag,
      prev,
      at: 1000 + 10 * serial,
      type,
      id: `e${serial}`,
      by: { subject: by, ...(run !== undefined && { run }) },
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
const part = fc.record(
  { type: partType, id: partId, text, state: fc.constantFrom('call', 'result') },
  { requiredKeys: ['type'] },
)
const parts = fc.array(part, { maxLength: 3 })
const role = fc.constantFrom('user', 'assistant')
const parent = fc.option(message, { nil: null })

/** What happens to messages, members and the session: sensible or not in its place. */
const talkEvents: fc.Arbitrary<Said> = fc.oneof(
  {
    weight: 3,
    arbitrary: event('message.started', { message, role }, { parent, parts, metadata }),
  },
  {
    weight: 5,
    arbitrary: event('message.delta', { message, text }, { part: partId, type: partType }),
  },
  { weight: 2, arbitrary: event('message.delta', { message, add: part }) },
  {
    weight: 3,
    arbitrary: event(
      'message.completed',
      { message },
      {
        role,
        parent,
        parts,
        metadata,
        status: fc.constantFrom('completed', 'interrupted', 'failed'),
      },
    ),
  },
  event('message.replaced', { message, parts }, { metadata }),
  event('message.deleted', { message }, { reason: text }),
  event('session.created', {}, { metadata }),
  event('session.updated', { metadata }),
  event('session.closed', {}, { reason: text }),
  event(
    ['member.entered', 'member.updated'],
    {
      member: message,
      subject: text,
      kind: fc.constantFrom('human', 'agent'),
      connected: fc.boolean(),
      visible: fc.boolean(),
    },
    { status: text, data: metadata },
  ),
  event('member.left', { member: message, reason: fc.constant('detached') }),
)

const known = fc.oneof({ weight: 3, arbitrary: talkEvents }, { weight: 4, arbitrary: recordEvents })

/** Of types that are known and not, with whatever data JSON has. */
const nonsense: fc.Arbitrary<Said> = fc
  .record({
    type: fc.constantFrom(
      ...Object.keys(EVENT_DATA),
      'x.note',
      'tool.called',
      'message.unheard',
      'run.unheard',
      'input.unheard',
      'nonsense',
    ),
    data: jsonOf(3),
  })
  // These need no field at all: with one that nobody knows they still make sense.
  .filter(({ type, data }) => !type.startsWith('session.') || !JSON.stringify(data).startsWith('{'))

const said = fc.oneof(
  { weight: 10, arbitrary: known },
  { weight: 1, arbitrary: spoiled(known) },
  { weight: 1, arbitrary: nonsense },
)

export const logs = fc.array(said, { maxLength: 40 }).map(logOf)
