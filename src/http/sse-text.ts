import type { Frame } from '../core/frame.ts'
import { formatPosition } from '../protocol/position.ts'

/** One frame goes to any number of readers: its bytes are made once. */
const made = new WeakMap<Frame, Buffer>()

/** A frame as one SSE message: its type, the position that it reaches, and itself as data. [P-9.5] */
export function sseMessage(frame: Frame): Buffer {
  const known = made.get(frame)
  if (known !== undefined) return known
  const id = frame.reaches === null ? '' : `id: ${formatPosition(frame.reaches)}\n`
  // An application's JSON may have line breaks between its tokens; a reader puts the lines together again.
  const data = /[\r\n]/.test(frame.text)
    ? frame.text.replaceAll(/\r\n|\r|\n/g, '\ndata: ')
    : frame.text
  const message = Buffer.from(`event: ${frame.type}\n${id}data: ${data}\n\n`)
  made.set(frame, message)
  return message
}
