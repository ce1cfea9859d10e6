import { describe, expect, test } from 'vitest'
import { askOf, type Ask } from '../../../src/compat/ai-sdk/intent.ts'
import { View } from '../../../src/protocol/fold/view.ts'
import type { UiMessageIn } from '../../../src/protocol/http-ai-sdk.ts'
import { genesis, type Position } from '../../../src/protocol/position.ts'

type Draft = readonly [type: string, data: object, run?: string]

function viewOf(...drafts: readonly Draft[]): View {
  const view = new View(genesis('abcdefghij' as Position['epoch']))
  for (const [index, [type, data, run]] of drafts.entries()) {
    const tag = `tag-${String(index + 1).padStart(4, '0')}`
    const by = { subject: 'anna', ...(run !== undefined && { run }) }
    const place = { serial: index + 1, tag, prev: view.position.tag, at: index, id: `e${index}` }
    if (!view.apply({ ...place, type, by, data })) throw new Error(`no place for ${type}`)
  }
  return view
}

const said = (message: string, text: string, parent: string | null): Draft => [
  'message.completed',
  { message, role: 'user', parts: [{ type: 'text', text }], parent },
]
const answered = (message: string, parent: string, run: string): Draft => [
  'message.completed',
  { message, role: 'assistant', parts: [{ type: 'text', text: 'a' }], parent },
  run,
]
const began = (run: string, trigger: string): Draft => ['run.started', { run, epoch: 1, trigger }]
const over = (run: string, how = 'run.finished'): Draft => [
  how,
  { run, ...(how === 'run.failed' && { error: { message: 'no' } }) },
]
const user = (id: string, text: string): UiMessageIn => ({
  id,
  role: 'user',
  parts: [{ type: 'text', text }],
})

const submit = (view: View | null, message: UiMessageIn, messageId?: string): Ask =>
  askOf(
    {
      trigger: 'submit-message',
      messages: [message],
      ...(messageId !== undefined && { messageId }),
      extra: {},
    },
    view,
  )
const regenerate = (view: View, message: UiMessageIn, messageId?: string): Ask =>
  askOf(
    {
      trigger: 'regenerate-message',
      messages: [message],
      ...(messageId !== undefined && { messageId }),
      extra: {},
    },
    view,
  )

const talk = [
  said('u1', 'one', null),
  began('r1', 'u1'),
  answered('r1.m1', 'u1', 'r1'),
  over('r1'),
] as const

describe('a message that is sent [P-18.2]', () => {
  test('is an input of its own id, which follows the latest message', () => {
    const ask = { input: 'u1', rawParts: '[{"type":"text","text":"one"}]', rawData: null }
    expect(submit(null, user('u1', 'one'))).toEqual(ask)
    // The first try came through.
    expect(submit(viewOf(...talk), user('u1', 'one'))).toEqual(ask)
  })
})

describe('a message that is edited [P-18.3]', () => {
  const view = viewOf(...talk, said('u2', 'two', 'r1.m1'))

  test('has an id of its words, and the parent of the one before; the same words are the same edit', () => {
    const edit = submit(view, user('u2', 'second'), 'u2')
    expect(edit.input).toMatch(/^u2~[0-9a-f]{16}$/)
    expect(edit.parent).toBe('r1.m1')
    expect(submit(view, user('u2', 'second'), 'u2')).toEqual(edit)
    expect(submit(view, user('u2', 'zweitens'), 'u2').input).not.toBe(edit.input)
    expect(submit(view, user('u1', 'eins'), 'u1').parent).toBeNull()
  })

  test('is edited once more from where it was, and sent once more as it was', () => {
    const { input } = submit(view, user('u2', 'second'), 'u2')
    const later = viewOf(...talk, said('u2', 'two', 'r1.m1'), said(input, 'second', 'r1.m1'))
    const again = submit(later, user(input, 'third'), input)
    expect(again.input).toBe(submit(view, user('u2', 'third'), 'u2').input)
    expect(submit(later, user(input, 'second'), input)).toMatchObject({ input, parent: 'r1.m1' })
  })

  test('is a message like any other where it never came before', () => {
    expect(submit(view, user('u3', 'new'), 'u3')).not.toHaveProperty('parent')
  })

  test('has an id of a bounded length', () => {
    const id = 'u'.repeat(128)
    const long = viewOf(said(id, 'long', null))
    expect(submit(long, user(id, 'longer'), id).input.length).toBeLessThanOrEqual(128)
  })
})

describe('an answer that is regenerated [P-18.3]', () => {
  const view = viewOf(...talk)

  test('is an input without words, whose parent is the question, named by the answer', () => {
    const ask = { input: 'r1.m1~again1', rawParts: null, rawData: null, parent: 'u1' }
    expect(regenerate(view, user('u1', 'one'))).toEqual(ask)
    expect(regenerate(view, user('u1', 'one'), 'r1.m1')).toEqual(ask)
    // Of a message that nobody here knows, it is the latest answer.
    expect(regenerate(view, user('u1', 'one'), 'not an id')).toEqual(ask)
  })

  test('is the same as long as it is under way or has come to an end, and another one after it has failed', () => {
    const going = [...talk, began('r2', 'r1.m1~again1')] as const
    const named = (drafts: readonly Draft[]): string =>
      regenerate(viewOf(...drafts), user('u1', 'one'), 'r1.m1').input
    expect(named(going)).toBe('r1.m1~again1')
    expect(named([...going, answered('r2.m1', 'u1', 'r2'), over('r2')])).toBe('r1.m1~again1')
    expect(named([...going, over('r2', 'run.failed')])).toBe('r1.m1~again2')
    // Without a name it is that of the latest: while that one is under way, itself.
    const latest = (drafts: readonly Draft[]): string =>
      regenerate(viewOf(...drafts), user('u1', 'one')).input
    const told = [...going, answered('r2.m1', 'u1', 'r2')] as const
    expect(latest(told)).toBe('r1.m1~again1')
    expect(latest([...told, over('r2')])).toBe('r2.m1~again1')
  })

  test('is asked for where nothing was answered yet', () => {
    const unanswered = viewOf(said('u1', 'one', null), began('r1', 'u1'), over('r1', 'run.failed'))
    expect(regenerate(unanswered, user('u1', 'one')).input).toBe('u1~again1')
  })
})
