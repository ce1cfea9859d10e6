import type { UIMessage } from 'ai'
import { expect, test } from 'vitest'
import { withOwn } from '../../../src/adapters/ai-sdk/own-results.ts'

type Part = UIMessage['parts'][number]
const asked = { id: 'a1' }
const call = (toolCallId: string): Part => ({
  type: 'tool-book',
  toolCallId,
  state: 'input-available',
  input: {},
})
const given = (toolCallId: string, output: string): Part => ({
  type: 'tool-book',
  toolCallId,
  state: 'output-available',
  input: {},
  output,
})
const requested: Part = {
  type: 'tool-book',
  toolCallId: 'c1',
  state: 'approval-requested',
  input: {},
  approval: asked,
}
const responded: Part = {
  type: 'tool-book',
  toolCallId: 'c1',
  state: 'approval-responded',
  input: {},
  approval: { ...asked, approved: true },
}
const answer = (id: string, ...parts: Part[]): UIMessage => ({ id, role: 'assistant', parts })

test('what a person has done with the tools of the last answer is shown until the session has it [S3-10]', () => {
  const shown = withOwn(
    [answer('m', requested, call('c2'), call('c3'))],
    [answer('m', responded, given('c2', 'mine'), call('c3'))],
  )
  expect(shown).toEqual([answer('m', responded, given('c2', 'mine'), call('c3'))])
})

test('what the session knows of a tool is what is shown', () => {
  const held = [answer('m', given('c1', 'theirs'))]
  expect(withOwn(held, [answer('m', given('c1', 'mine'))])).toEqual(held)
})

test('what was done with earlier answers, or is of no answer, is what the session has', () => {
  const earlier = [answer('m', call('c1')), answer('n', call('c2'))]
  expect(withOwn(earlier, [answer('m', given('c1', 'mine'))])).toBe(earlier)
  const said: UIMessage[] = [{ id: 'u', role: 'user', parts: [{ type: 'text', text: 'hi' }] }]
  expect(withOwn(said, said)).toBe(said)
})
