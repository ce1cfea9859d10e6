const MAX_CHARACTERS = 16_777_216

/**
 * Reads a `text/event-stream`: the data of each message, one after another. Takes LF, CRLF and CR, in pieces cut anywhere.
 * @throws Error when one message is longer than 16 Mi characters
 */
export class SseLines {
  #buffer = ''
  #data: string[] = []
  #size = 0

  /** @returns the data of the messages that this text completes */
  push(text: string): string[] {
    this.#buffer += text
    const messages: string[] = []
    let start = 0
    for (let at = this.#endOfLine(start); at >= 0; at = this.#endOfLine(start)) {
      const message = this.#line(this.#buffer.slice(start, at))
      if (message !== null) messages.push(message)
      start = at + (this.#buffer.startsWith('\r\n', at) ? 2 : 1)
    }
    this.#buffer = this.#buffer.slice(start)
    if (this.#size + this.#buffer.length > MAX_CHARACTERS) {
      throw new Error('unable to read the stream; a message is too long')
    }
    return messages
  }

  /** -1: not there yet. A CR at the very end may be half of a CRLF, so it waits for what follows. */
  #endOfLine(start: number): number {
    const at = this.#buffer.slice(start).search(/[\r\n]/)
    if (at < 0) return -1
    const end = start + at
    return this.#buffer[end] === '\r' && end === this.#buffer.length - 1 ? -1 : end
  }

  #line(line: string): string | null {
    if (line === '') {
      const message = this.#data.length === 0 ? null : this.#data.join('\n')
      this.#data = []
      this.#size = 0
      return message
    }
    if (line !== 'data' && !line.startsWith('data:')) return null
    const value = line.slice(5)
    const data = value.startsWith(' ') ? value.slice(1) : value
    this.#data.push(data)
    this.#size += data.length
    return null
  }
}
