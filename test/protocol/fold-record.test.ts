import { describe, expect, test } from 'vitest'
import { View } from '../../src/protocol/fold/view.ts'
import type { Said } from './arbitrary-events.ts'
import { logOf, START } from './event-logs.ts'

function view(...events: Said[]): View {
  const view = new View(START)
  for (const event of logOf(events)) expect(view.apply(event)).toBe(true)
  return view
}

const said = (type: string, data: object, by = 'ada'): Said => ({ type, data, by })
const started = (run: string, more: object = {}): Said =>
  said('run.started', { run, epoch: 1, ...more }, 'key:agent')
const finished = (run: string): Said => said('run.finished', { run })
const many = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}`)

describe('a run in the view [P-10.9] [P-10.11]', () => {
  test('has its agent, trigger, status, step, checkpoint and output', () => {
    const status = { run: 'r', status: 'thinking', step: 'search', checkpoint: { page: 2 } }
    const at = view(
      started('r', { agent: 'researcher', trigger: 'i', metadata: { k: 1 } }),
      said('run.status', status),
      said('run.status', { run: 'r', status: 'stalled' }),
      said('run.finished', { run: 'r', output: [1] }),
    )
    expect(at.runs.get('r')).toEqual({
      id: 'r',
      epoch: 1,
      agent: 'researcher',
      trigger: 'i',
      status: 'finished',
      step: 'search',
      detail: null,
      checkpoint: { page: 2 },
      output: [1],
      error: null,
      metadata: { k: 1 },
      by: 'key:agent',
      startedAt: 1010,
      updatedAt: 1040,
      serial: 4,
    })
  })

  test.each([
    ['run.suspended', {}, 'waiting'],
    ['run.failed', { error: { message: 'no more' } }, 'failed'],
    ['run.cancelled', { reason: 'asked' }, 'cancelled'],
    ['run.lost', { epoch: 1 }, 'lost'],
  ])('is after %s %j %s', (type, more, status) => {
    expect(view(started('r'), said(type, { run: 'r', ...more })).runs.get('r')?.status).toBe(status)
  })

  test('that is lost goes on with a higher epoch once it is adopted [P-10.2]', () => {
    const adopted = said('run.resumed', { run: 'r', epoch: 2, reason: 'adopted' })
    const at = view(started('r'), said('run.lost', { run: 'r', epoch: 1 }), adopted)
    expect(at.runs.get('r')).toMatchObject({ status: 'thinking', epoch: 2, startedAt: 1010 })
  })

  test('stays while it lives; of those that are over the 50 that ended last', () => {
    const names = many(60, 'r')
    const at = view(
      started('long'),
      started('open'),
      ...names.flatMap((name) => [started(name), finished(name)]),
      finished('long'),
    )
    // In the order in which they were started.
    expect([...at.runs.keys()]).toEqual(['long', 'open', ...names.slice(11)])
  })

  test('that was lost long ago and left the view is there again once it is adopted', () => {
    const lost = [started('r'), said('run.lost', { run: 'r', epoch: 3 })]
    const others = many(50, 'o').flatMap((name) => [started(name), finished(name)])
    const adopted = said('run.resumed', { run: 'r', epoch: 4, reason: 'adopted' }, 'key:other')
    expect(view(...lost, ...others).runs.has('r')).toBe(false)
    const again = view(...lost, ...others, adopted).runs
    expect(again.get('r')).toMatchObject({ status: 'thinking', epoch: 4, agent: null })
    expect(again.size).toBe(51)
  })
})

describe('inputs and questions in the view [P-11.6]', () => {
  test('an input waits in it until it is delivered, cancelled or expired', () => {
    const received = (input: string) => said('input.received', { input, mode: 'queue', data: 7 })
    const at = view(
      ...['a', 'b', 'c'].map(received),
      said('input.delivered', { input: 'a', run: 'r' }),
      said('input.expired', { input: 'b', reason: 'cancelled' }),
    )
    expect([...at.inputs.values()]).toEqual([
      {
        id: 'c',
        mode: 'queue',
        run: null,
        message: null,
        data: 7,
        expiresAt: null,
        by: 'ada',
        at: 1030,
        serial: 3,
      },
    ])
  })

  test('a question is answered once, and says by whom', () => {
    const asked = said('question.asked', { question: 'q', run: 'r', prompt: 'Sure?' }, 'key:agent')
    const answer = (value: unknown, by: string) =>
      said('question.answered', { question: 'q', outcome: 'answered', answer: value }, by)
    const at = view(asked, answer(true, 'bob'), answer(false, 'ada'))
    expect(at.questions.get('q')).toMatchObject({
      status: 'answered',
      answer: true,
      answeredBy: 'bob',
      askedAt: 1010,
      serial: 2,
    })
    const expired = said('question.answered', { question: 'q', outcome: 'expired' }, 'server')
    expect(view(asked, expired).questions.get('q')).toMatchObject({
      status: 'expired',
      answeredBy: null,
    })
  })

  test('every open question stays; of those that are closed the 50 that were closed last', () => {
    const asked = (question: string) => said('question.asked', { question, prompt: '' })
    const closed = (question: string) =>
      said('question.answered', { question, outcome: 'withdrawn' })
    const names = many(55, 'q')
    const at = view(asked('first'), ...names.flatMap((name) => [asked(name), closed(name)]))
    expect([...at.questions.keys()]).toEqual(['first', ...names.slice(5)])
  })
})

test('the state holds each key with its version and value, until it is deleted [P-12.1]', () => {
  const at = view(
    said('state.set', { key: 'a', version: 1, value: { x: 1 } }),
    said('state.set', { key: 'b', version: 1, value: null }),
    said('state.set', { key: 'a', version: 2, value: 'new' }),
    said('state.deleted', { key: 'b', version: 2 }),
  )
  expect([...at.state.values()]).toEqual([{ key: 'a', version: 2, value: 'new' }])
})

test('effects are in the view until they are done, or to be tried again; of those that are unknown, 200 [P-13.4]', () => {
  const reserved = (effect: string) =>
    said('effect.reserved', { effect, run: 'r', tool: 'mail', attempt: 1 })
  const at = view(
    reserved('a'),
    reserved('b'),
    reserved('c'),
    said('effect.done', { effect: 'a' }),
    said('effect.unknown', { effect: 'b', run: 'r' }),
    reserved('d'),
    said('effect.unknown', { effect: 'd', run: 'r' }),
    said('effect.retried', { effect: 'd', run: 'r' }),
  )
  expect([...at.effects.values()]).toEqual([
    { id: 'b', run: 'r', tool: 'mail', status: 'unknown', at: 1050, serial: 5 },
    { id: 'c', run: 'r', tool: 'mail', status: 'reserved', at: 1030, serial: 3 },
  ])
  const unknown = many(203, 'e').map((effect) => said('effect.unknown', { effect, run: 'r' }))
  expect(view(reserved('first'), ...unknown).effects.size).toBe(201)
})

test('the controller is whoever took control last, until it is released [P-14.1] (S3-06)', () => {
  const taken = (subject: string) => said('control.taken', { subject, kind: 'human' })
  expect(view(taken('ada'), taken('bob')).controller).toEqual({ subject: 'bob', kind: 'human' })
  expect(view(taken('ada'), said('control.released', { subject: 'ada' })).controller).toBeNull()
})

test('deliveries that are pending stay, and of those that failed 50 [P-15.1]', () => {
  const pending = (delivery: string) => said('delivery.pending', { delivery, run: 'r', to: 'ada' })
  const failed = (delivery: string) =>
    said('delivery.failed', { delivery, attempts: 7, reason: 'no' })
  const names = many(53, 'd')
  const at = view(
    pending('first'),
    ...names.flatMap((name) => [pending(name), failed(name)]),
    said('delivery.acked', { delivery: 'd52', via: 'webhook' }),
  )
  expect([...at.deliveries.keys()]).toEqual(['first', ...names.slice(3, 52)])
})

test('what several agents write side by side says who wrote it and in which run, byte for byte (R21, S3-04)', () => {
  const agents = ['one', 'two', 'three']
  const words = ['Grüße', ' ', '𝄞', '\u0000', 'end']
  const in_ = (name: string, type: string, data: object): Said => ({
    type,
    data: { message: `m-${name}`, ...data },
    by: `key:${name}`,
    run: `r-${name}`,
  })
  const at = view(
    ...agents.map((name) => in_(name, 'message.started', { role: 'assistant' })),
    ...words.flatMap((text) =>
      agents.map((name) => in_(name, 'message.delta', { text: `${text}${name}` })),
    ),
    said('message.completed', { message: 'hers', role: 'user', parts: [] }),
  )
  for (const name of agents) {
    expect(at.messages.get(`m-${name}`)).toMatchObject({
      by: `key:${name}`,
      run: `r-${name}`,
      parts: [{ type: 'text', text: words.map((text) => `${text}${name}`).join('') }],
    })
  }
  expect(at.messages.get('hers')).not.toHaveProperty('run')
})
