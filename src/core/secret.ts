/** A credential that does not print itself: not in a log, an error, a template or a JSON text. Only `reveal` gives it, where it is used. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }
}
