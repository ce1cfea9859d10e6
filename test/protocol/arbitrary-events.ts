import fc from 'fast-check'
import { LIVE_STATUSES } from '../../src/protocol/run-events.ts'

export interface Said {
  readonly type: string
  readonly data: unknown
  readonly by?: string
  readonly run?: string
}

/** Few names, so that what happens to one thing is interesting. */
const run = fc.constantFrom('r', 's', 't')
const input = fc.constantFrom('i', 'j')
const question = fc.constantFrom('q', 'w')
const key = fc.constantFrom('k', 'l')
const effect = fc.constantFrom('e', 'f')
const delivery = fc.constantFrom('d', 'g')
const subject = fc.constantFrom('ada', 'bob')
const text = fc.constantFrom('', 'x', 'yz')
const count = fc.integer({ min: 1, max: 4 })
/** As it comes out of a text: -0 is 0 there. */
export const jsonOf = (maxDepth: number): fc.Arbitrary<unknown> =>
  fc.jsonValue({ maxDepth }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const json = jsonOf(1)
const facts = fc.dictionary(key, json, { maxKeys: 2 })

type Fields = Record<string, fc.Arbitrary<unknown>>

/** An event of one of the types, with what it must have and what it may have. */
export function event(
  type: string | readonly string[],
  needed: Fields,
  more: Fields = {},
): fc.Arbitrary<Said> {
  const types = typeof type === 'string' ? [type] : type
  const data = fc.record({ ...needed, ...more }, { requiredKeys: Object.keys(needed) })
  return fc.record(
    { type: fc.constantFrom(...types), data, by: subject, run },
    { requiredKeys: ['type', 'data', 'by'] },
  )
}

/** Whatever happens to runs, inputs, questions, the state, effects, control and deliveries: sensible or not in its place. */
export const recordEvents: fc.Arbitrary<Said> = fc.oneof(
  event('run.started', { run, epoch: count }, { agent: text, trigger: input, metadata: facts }),
  event(
    'run.status',
    { run, status: fc.constantFrom(...LIVE_STATUSES) },
    { step: text, detail: text, checkpoint: json },
  ),
  event('run.suspended', { run }, { reason: text }),
  event('run.resumed', {
    run,
    epoch: count,
    reason: fc.constantFrom('resumed', 'answered', 'adopted'),
  }),
  event('run.finished', { run }, { output: json }),
  event('run.failed', { run, error: fc.record({ message: text, code: text }) }),
  event('run.cancelled', { run }, { reason: text }),
  event('run.lost', { run, epoch: count }),
  event(
    'input.received',
    { input, mode: fc.constantFrom('queue', 'steer', 'interrupt') },
    { run, message: key, parent: fc.option(key), data: json, expiresAt: fc.nat(9000) },
  ),
  event('input.delivered', { input, run }, {}),
  event('input.expired', { input, reason: fc.constantFrom('expired', 'cancelled') }),
  event(
    'question.asked',
    { question, prompt: text },
    { run, schema: facts, data: json, expiresAt: fc.nat(9000) },
  ),
  event(
    'question.answered',
    { question, outcome: fc.constantFrom('answered', 'expired', 'withdrawn') },
    { answer: json },
  ),
  event('state.set', { key, version: count, value: json }),
  event('state.deleted', { key, version: count }),
  event('effect.reserved', { effect, run, attempt: count }, { tool: text }),
  event('effect.done', { effect }, { result: json }),
  event('effect.unknown', { effect, run }),
  event('effect.retried', { effect, run }),
  event(
    'control.taken',
    { subject, kind: fc.constantFrom('human', 'agent', 'supervisor') },
    { member: key },
  ),
  event('control.released', { subject }),
  event('delivery.pending', { delivery, run, to: subject }),
  event('delivery.acked', { delivery, via: fc.constantFrom('read', 'webhook') }),
  event('delivery.failed', { delivery, attempts: count, reason: text }),
)

/** Said for the log and for webhooks; nothing that people see is made of them. */
const UNREAD = new Set(['reason', 'via', 'attempt', 'attempts'])
const UNREAD_OF: Readonly<Record<string, string>> = {
  'run.lost': 'epoch',
  'input.delivered': 'run',
}

/** The same with one field of another type, or without it. */
export function spoiled(said: fc.Arbitrary<Said>): fc.Arbitrary<Said> {
  const garbage = fc.constantFrom<unknown>(undefined, null, true, [], {}, [7])
  return fc.tuple(said, fc.nat(), garbage).map(([one, at, value]) => {
    const fields = one.data as Record<string, unknown>
    const read = Object.keys(fields).filter(
      (name) => !UNREAD.has(name) && UNREAD_OF[one.type] !== name,
    )
    const name = read[at % read.length]
    if (name === undefined) return one
    return { ...one, data: JSON.parse(JSON.stringify({ ...fields, [name]: value })) as unknown }
  })
}
