const MAX_CHARACTERS = 16_777_216
const BLANK_LINE = /\r?\n\r?\n/

/**
 * Reads the `text/event-stream` of a server of ours: the data of each message, one after another, from pieces cut anywhere. Lines end
 * with LF or CRLF; a lone CR, which the format allows, is never sent.
 * @throws Error when one message is longer than 16 Mi characters
 */
export class SseLines {
  #rest = ''

  /** @returns the data of the messages that this text completes */
  push(text: string): string[] {
    this.#rest += text
    const blocks = this.#rest.split(BLANK_LINE)
    this.#rest = blocks.pop() ?? ''
    if (this.#rest.length > MAX_CHARACTERS) {
      throw new Error('unable to read the stream; a message is too long')
    }
    return blocks.map(dataOf).filter((data) => data !== null)
  }
}

/** `null`: a comment, or a field alone. */
function dataOf(block: string): string | null {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith('data:'))
  return lines.length === 0
    ? null
    : lines.map((line) => line.slice(line[5] === ' ' ? 6 : 5)).join('\n')
}
