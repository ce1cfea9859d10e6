// Prompts on their way: kept in this browser until the server has them, over a cut and a reload. Each has an id of its own, so that one that was sent twice
// is one message, and one run.

const PAUSE_MS = 1000

export class Prompts {
  #session
  #key
  #list
  #changed
  #sending = false

  /** @param changed called when what is on its way changes */
  constructor(session, changed) {
    this.#session = session
    this.#key = `heldline-demo-prompts-${session.id}`
    this.#list = JSON.parse(sessionStorage.getItem(this.#key) ?? '[]')
    this.#changed = changed
    void this.#send()
  }

  /** As messages that are not in the session yet. */
  messages(known) {
    const there = new Set(known.map((message) => message.id))
    return this.#list.filter((prompt) => !there.has(prompt.id)).map((prompt) => prompt.drawn)
  }

  /** @param mode `queue` or `interrupt` */
  add(text, mode) {
    const id = `prompt-${Date.now()}-${Math.random().toString(36).slice(2)}`
    const drawn = {
      id,
      role: 'user',
      status: 'completed',
      pending: true,
      parts: [{ type: 'text', text }],
    }
    this.#list.push({ id, text, mode, drawn })
    this.#keep()
    void this.#send()
  }

  async #send() {
    if (this.#sending) return
    this.#sending = true
    for (let prompt; (prompt = this.#list[0]) !== undefined;) {
      const { id, text, mode } = prompt
      try {
        await this.#session.input({ id, mode, parts: text })
      } catch (error) {
        if (error.retryable) {
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
          continue
        }
        console.warn(error)
      }
      this.#list.shift()
      this.#keep()
    }
    this.#sending = false
  }

  #keep() {
    sessionStorage.setItem(this.#key, JSON.stringify(this.#list))
    this.#changed()
  }
}
