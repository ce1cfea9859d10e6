import { Checker } from './checker.ts'
import { newTally, Reader } from './reader.ts'
import type { Target } from './target.ts'

export interface LateJoinParams {
  readonly target: Target
  readonly session: string
  /** What the text of the one message must come to. */
  readonly textLength: number
}

export interface LateJoinResult {
  readonly ms: number
  readonly pieces: number
  readonly messages: number
  readonly bytes: number
}

interface Snapshot {
  readonly messages: readonly { readonly parts?: readonly { readonly text?: string }[] }[]
}

/** Somebody opens the session for the first time; measured from the attach until the last piece of the snapshot. */
export async function lateJoin(params: LateJoinParams): Promise<LateJoinResult> {
  const { target, session, textLength } = params
  const pieces: string[] = []
  const onSnapshot = (text: string): void => {
    pieces.push(text)
  }
  const options = { waitToAttach: true, onSnapshot }
  const reader = new Reader(target, session, new Checker('{"serial":'), newTally(), options)
  try {
    await reader.opened
    const start = performance.now()
    reader.attach()
    await reader.following
    const ms = performance.now() - start
    const messages = pieces.flatMap((piece) => (JSON.parse(piece) as Snapshot).messages)
    const text = messages.flatMap((message) => message.parts ?? []).map((part) => part.text ?? '')
    const length = text.join('').length
    if (length !== textLength) throw new Error(`the text has ${length}, not ${textLength}`)
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    return { ms, pieces: pieces.length, messages: messages.length, bytes }
  } finally {
    reader.close(true)
  }
}
