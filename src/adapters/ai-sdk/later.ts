import { codeLoader } from '../../client/load-code.ts'

const TRIES = 5
const PAUSE_MS = 1000

/** Code that is fetched where it comes to that. */
export class Later<Code> {
  readonly #load: () => Promise<Code>
  #loading: Promise<Code> | null = null
  /** `null`: it is not here. */
  code: Code | null = null

  /** @param load the `import()` */
  constructor(load: () => Promise<Code>) {
    this.#load = codeLoader(load)
  }

  /** @throws what its fetching fails with, after a few tries; the next call tries anew */
  get(): Promise<Code> {
    return (this.#loading ??= this.#fetch())
  }

  async #fetch(): Promise<Code> {
    for (let failures = 1; ; failures++) {
      try {
        return (this.code = await this.#load())
      } catch (error) {
        if (failures === TRIES) {
          this.#loading = null
          throw error
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }
  }
}
