import { chatFrame, type ChatFrame } from '../../protocol/http-ai-sdk.ts'
import { checkShape } from '../../protocol/json.ts'

/** A client's frame from its text; `null`: it is none. Never throws. */
export function parseChatFrame(text: string): ChatFrame | null {
  if (checkShape(text) !== null) return null
  try {
    const { success, data } = chatFrame.safeParse(JSON.parse(text))
    return success ? data : null
  } catch {
    // Not JSON: the same to its sender as JSON that is no frame.
    return null
  }
}
