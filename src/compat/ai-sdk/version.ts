import type { UiMessageChunk } from '../../protocol/formats/to-ai-sdk.ts'

/** The AI SDK that reads: 6 refuses chunks whose type it does not know. [P-18.9] */
export type AiSdkVersion = 6 | 7

/** What 7 has and 6 has no word for. */
const SINCE_7: ReadonlySet<string> = new Set([
  'custom',
  'reasoning-file',
  'reset-step',
  'steering-message',
  'tool-approval-response',
])

/** A chunk as that version has it; `null`: it has no word for it, and is told the rest. */
export function chunkFor(version: AiSdkVersion, chunk: UiMessageChunk): UiMessageChunk | null {
  if (version === 7) return chunk
  if (SINCE_7.has(chunk.type)) return null
  return chunk['finishReason'] === 'interrupted' ? { ...chunk, finishReason: 'other' } : chunk
}
