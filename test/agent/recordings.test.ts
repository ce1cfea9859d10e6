import { describe, expect } from 'vitest'
import type { Part } from '../../src/protocol/messages.ts'
import { shownDirectly, testRecorded } from '../support/recorded.ts'
import { fold } from './support/folded.ts'

interface Tool {
  readonly type: string
  readonly toolCallId?: string
  readonly input?: unknown
  readonly output?: unknown
}

const wholeOf = (parts: readonly { readonly type: string }[], type: string): string =>
  parts.map((part) => (part.type === type ? ((part as Part).text ?? '') : '')).join('')

describe('a real answer, read through its provider’s package, is one message', () => {
  testRecorded(
    '%s: as the AI SDK itself shows it, from either of its streams',
    { timeout: 20_000 },
    async (answer) => {
      const full = await fold(answer.parts())
      const [mine, reference] = answer.chunks().tee()
      const [ui, shown] = await Promise.all([fold(mine), shownDirectly(reference)])
      expect(ui.error).toBeNull()
      const parts = ui.message?.parts ?? []
      const expected = shown?.parts ?? []
      expect(wholeOf(parts, 'text')).toBe(wholeOf(expected, 'text'))
      expect(wholeOf(parts, 'reasoning')).toBe(wholeOf(expected, 'reasoning'))
      expect(wholeOf(parts, 'text') + wholeOf(parts, 'reasoning')).not.toBe('')
      const tools = expected.filter((part): part is typeof part & Tool => 'toolCallId' in part)
      const calls = parts.filter(({ type }) => type === 'tool')
      expect(calls.map((part) => part['call'])).toEqual(tools.map((part) => part.toolCallId))
      for (const [index, call] of calls.entries()) {
        const omitted = (call['omitted'] ?? []) as readonly string[]
        const { input, output } = JSON.parse(JSON.stringify(tools[index])) as Tool
        if (!omitted.includes('input')) expect(call['input']).toEqual(input)
        if (!omitted.includes('output')) expect(call['output']).toEqual(output)
      }
      expect(full.message?.status).toBe(ui.message?.status)
      expect(wholeOf(full.message?.parts ?? [], 'text')).toBe(wholeOf(parts, 'text'))
      expect((full.message?.parts ?? []).filter(({ type }) => type === 'tool').length).toBe(
        calls.length,
      )
    },
  )
})
