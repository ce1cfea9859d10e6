import { expect, test } from 'vitest'
import { RunAnswer } from '../../../src/compat/ai-sdk/answer.ts'
import { View } from '../../../src/protocol/fold/view.ts'
import { genesis, type Position } from '../../../src/protocol/position.ts'

/** What runs say, each in a message of its own. */
function viewOf(...said: readonly (readonly [run: string, parent: string, part: object])[]): View {
  const view = new View(genesis('abcdefghij' as Position['epoch']))
  for (const [index, [run, parent, part]] of said.entries()) {
    const tag = `tag-${String(index + 1).padStart(4, '0')}`
    const place = { serial: index + 1, tag, prev: view.position.tag, at: index, id: `e${index}` }
    const data = { message: `${run}.m`, role: 'assistant', parent, parts: [part] }
    const by = { subject: 'agent', run }
    if (!view.apply({ ...place, type: 'message.completed', by, data })) throw new Error('no place')
  }
  return view
}

const call = { type: 'tool', id: 't', call: 'c1', state: 'called' }
const result = { type: 'tool', id: 't', call: 'c1', state: 'done', continues: true }

test('a run that tells what became of an earlier answer’s tools goes on with that answer [P-18.4]', () => {
  const view = viewOf(['a', 'u', call], ['b', 'a.m', result], ['c', 'b.m', result])
  for (const run of ['b', 'c']) expect(new RunAnswer(run).in(view)?.id).toBe('a.m')
})

test('a run that tells more of its own tools alone is an answer of its own [P-18.4]', () => {
  const view = viewOf(['a', 'u', { type: 'text', text: 'hi' }], ['b', 'a.m', result])
  expect(new RunAnswer('b').in(view)?.id).toBe('b.m')
})

test('of runs that name each other as what they follow the later one goes on with the earlier [P-18.4]', () => {
  const view = viewOf(['a', 'b.m', result], ['b', 'a.m', result])
  for (const run of ['a', 'b']) expect(new RunAnswer(run).in(view)?.id).toBe('a.m')
})
