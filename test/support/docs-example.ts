import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** The examples of a page of the documentation, by the name in the `<!-- run: name -->` before each. */
export interface Page {
  readonly text: string
  /** @throws Error where the page has no such example */
  readonly example: (name: string) => string
  /** The names of all of them, in order. */
  readonly names: readonly string[]
}

/** @param path from the root of the project */
export function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const blocks = [...text.matchAll(/<!-- run: (\S+) -->\n```\w+\n([\s\S]*?)\n```/g)]
  return {
    text,
    names: blocks.map(([, name = '']) => name),
    example: (name) => {
      const block = blocks.find((one) => one[1] === name)?.[2]
      if (block === undefined) throw new Error(`${path} has no example ${name}`)
      return block
    },
  }
}
